"""Operations that are defined by a formula, one file each."""
