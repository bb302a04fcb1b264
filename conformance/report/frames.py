"""Light frames, as the report reads a run: NumPy's own types, which slice an order of magnitude faster."""

from __future__ import annotations

import numpy as np
import pandas as pd

from conformance.results.row_buffers import TEXT


def light(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with text as objects (missing: empty), numbers as float64 or int64, booleans as they are.

    A nullable boolean column keeps its type: that a check neither conforms nor fails is news.
    """
    columns = {str(name): _light(frame[name]) for name in frame.columns}
    return pd.DataFrame(columns, index=frame.index, copy=False)


def _light(series: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(series.dtype):
        return series
    if pd.api.types.is_float_dtype(series.dtype):
        return series.astype(np.float64)
    if pd.api.types.is_integer_dtype(series.dtype):
        return series.astype(np.float64 if series.isna().any() else np.int64)
    if series.dtype == TEXT and not series.hasnans:
        return pd.Series(series.to_numpy(object), index=series.index, dtype=object, copy=False)
    codes, distinct = pd.factorize(series)
    texts = np.append(np.asarray(distinct, dtype=object), "")  # each text once, however many rows have it
    return pd.Series(texts[codes], index=series.index, dtype=object)
