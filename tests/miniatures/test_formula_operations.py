"""Operations by a formula: each wrong miniature fails `check` by its cause, each right one passes."""

from __future__ import annotations

import pytest
import score
import table

from conformance.cases.discovery import corpus
from conformance.cases.loader import load_cases

#: What a fused loss over classes gets wrong, by the words that its first line must have one of.
SHOWN = {
    "fused_linear_forgets_the_label_s_bias": "bias",
    "fused_linear_takes_one_upstream_for_all": "gradient is wrong where the reduction is none",
    "fused_linear_smooths_over_the_shard": "smooth",
    "fused_linear_rounds_logits_going_forward": "its value loses accuracy, its gradient does not",
    "fused_capped_counts_padding": "softcap",
}


#: Its first line says what is wrong, and where that is plainest, which is not the cause.
UNNAMED = {"score_rounds_the_normaliser"}  # it returns 0 where the loss is small, for an offset


@pytest.mark.parametrize(
    "operation", ["linear_cross_entropy", "token_log_prob", "capped_cross_entropy", "attention"]
)
def test_wrong_ones_fail_by_their_cause_and_right_ones_pass(operation: str) -> None:
    miniatures = [one for one in table.load_all(table.modules_of("torch")) if one.operation == operation]
    files = sorted(corpus().rglob(f"{operation}.yaml"))
    assert len(files) >= 2
    results = score.run_framework("torch", miniatures, load_cases(files))
    wrong = [one for one in results if not one.miniature.is_right]
    assert len(wrong) >= 10
    assert [one.miniature.name for one in wrong if not one.caught or one.code != 1] == []
    unnamed = [one.sentence for one in wrong if not one.names_cause and one.miniature.name not in UNNAMED]
    assert not unnamed, "\n".join(unnamed)
    assert [one.sentence for one in results if one.miniature.is_right and (one.caught or one.code)] == []
    for one in results:
        if one.miniature.name in SHOWN:
            assert SHOWN[one.miniature.name] in one.sentence, one.sentence
