"""Columns of a page: as small as they can be, and every cell what it was."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report.fabricate import fabricate
from report.page_columns import cells

from conformance.report.frames import light
from conformance.report.predicted_codes import AS_LAST, EXPLICIT, NEXT, PREDICTED_FROM, predicted_codes
from conformance.report.table_data import columns


class TestColumns:
    """`columns` keeps every cell."""

    @pytest.mark.parametrize(("count", "width"), [(256, 1), (257, 2), (1 << 16, 2), ((1 << 16) + 1, 4)])
    def test_codes_are_as_wide_as_they_must_be(self, count: int, width: int) -> None:
        """The last code of a column is read back at every width, and so is the column behind it."""
        numbers = np.arange(count, dtype=np.float64)
        about, codes = columns(pd.DataFrame({"x": numbers, "y": -numbers}))
        assert [one["width"] for one in about["columns"]] == [width, width]
        assert {name: values[-1] for name, values in cells(about, codes).items()} == {
            "x": count - 1,
            "y": 1 - count,
        }

    def test_missing_values_are_told_apart(self) -> None:
        """nan is null, infinities have names, a missing boolean is empty."""
        frame = pd.DataFrame(
            {
                "x": pd.array([1.5, None, float("inf"), float("-inf")], dtype="Float64"),
                "b": pd.array([True, None, False, True], dtype="boolean"),
                "s": pd.array(["", None, "nan", "a"], dtype="string"),
            }
        )
        assert cells(*columns(light(frame))) == {
            "x": [1.5, None, "inf", "-inf"],
            "b": ["True", "", "False", "True"],
            "s": ["", "", "nan", "a"],
        }

    def test_every_cell_of_a_run_is_read_back(self) -> None:
        """Predicted columns, packed numbers and digests, hostile texts: all are what the frame has."""
        frame = light(fabricate(20_000).frame)
        about, codes = columns(frame)
        by_name = {column["name"]: column for column in about["columns"]}
        assert {column.get("packed") for column in by_name.values()} == {None, "float64", "digest"}
        assert {name for name, column in by_name.items() if "given" in column} == set(PREDICTED_FROM) - {
            "template"
        }
        back = cells(about, codes)
        for name in frame.columns:
            if by_name[name]["kind"] == "number":
                own = np.array([np.nan if cell is None else float(cell) for cell in back[name]])
                np.testing.assert_array_equal(own, frame[name].to_numpy(np.float64))
            elif name not in ("conforms", "textbook"):
                assert back[name] == [
                    str(text).encode("utf-8", "backslashreplace").decode() for text in frame[name]
                ]

    def test_a_text_that_is_no_digest_is_no_digest(self) -> None:
        """A dictionary is packed as digests only where all of it are."""
        digests = [f"{number:016x}" for number in range(300)]
        for texts, packed in (
            ([*digests, ""], "digest"),
            ([*digests, "0" * 15], None),
            ([*digests, "0" * 15 + "g"], None),
            ([*digests, "0" * 15 + "A"], None),
        ):
            about, codes = columns(pd.DataFrame({"bits": pd.Series(texts, dtype=object)}))
            assert about["columns"][0].get("packed") == packed
            assert cells(about, codes)["bits"] == texts


class TestPredictedCodes:
    """What other columns let expect is not carried."""

    def test_says_how_each_code_follows(self) -> None:
        """As the last of the same context, the next new one, or explicit."""
        codes = np.array([0, 0, 1, 0, 1, 1, 2])
        context = np.array([0, 0, 1, 0, 1, 0, 1])
        hits, explicit = predicted_codes(codes, [context])
        assert hits.tolist() == [NEXT, AS_LAST, NEXT, AS_LAST, AS_LAST, EXPLICIT, NEXT]
        assert explicit.tolist() == [1]

    def test_contexts_of_several_columns_are_told_apart(self) -> None:
        """(0, 1) is another context than (1, 0)."""
        hits, explicit = predicted_codes(
            np.array([0, 1, 0, 1]), [np.array([0, 1, 0, 1]), np.array([1, 0, 1, 0])]
        )
        assert hits.tolist() == [NEXT, NEXT, AS_LAST, AS_LAST]
        assert explicit.size == 0

    def test_no_rows(self) -> None:
        """An empty run has no codes."""
        hits, explicit = predicted_codes(np.array([], np.int64), [np.array([], np.int64)])
        assert hits.size == explicit.size == 0
