"""JAX: its adapter, its formulations, and the programs that it compiles."""
