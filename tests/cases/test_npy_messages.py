"""What a reader is told about an array's file that a case names and must not read, or cannot."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from case_faults import SOFTMAX, faults


class TestNpyFiles:
    def fault(self, folder: Path, name: str) -> str:
        (found,) = faults(folder, SOFTMAX + f"    inputs: {{x: {{file: {name}}}}}\n")
        return found

    @pytest.mark.parametrize("name", ["../x.npy", "a/../../x.npy", "link.npy", "folder/x.npy"])
    def test_paths_stay_below_the_case_file(self, tmp_path: Path, name: str) -> None:
        """Links are followed first."""
        inside = tmp_path / "inside"
        inside.mkdir()
        np.save(tmp_path / "x.npy", np.zeros(2))
        (inside / "link.npy").symlink_to(tmp_path / "x.npy")
        (inside / "folder").symlink_to(tmp_path)
        assert "leads out of the case file's folder" in self.fault(inside, name)

    @pytest.mark.parametrize("name", ["/etc/passwd", "/x.npy", "x.txt", "''", "~/x.npy", "a.npy/b.npy"])
    def test_other_names(self, tmp_path: Path, name: str) -> None:
        found = self.fault(tmp_path, name)
        assert "is no name of a .npy file" in found or "there is no file" in found

    def test_a_name_with_nul(self, tmp_path: Path) -> None:
        assert "a text with U+0000 in it" in self.fault(tmp_path, '"a\\0.npy"')

    def test_a_name_that_is_too_long_and_a_circle_of_links(self, tmp_path: Path) -> None:
        (tmp_path / "a.npy").symlink_to("a.npy")
        assert "x: " in self.fault(tmp_path, "a.npy")
        assert "x: " in self.fault(tmp_path, f"{'n' * 300}.npy")

    def test_a_pipe_is_no_file(self, tmp_path: Path) -> None:
        """Opening it would wait for ever."""
        os.mkfifo(tmp_path / "x.npy")
        assert "there is no file 'x.npy'" in self.fault(tmp_path, "x.npy")

    @pytest.mark.parametrize(
        "array",
        [np.array(["a"]), np.array([1j]), np.zeros(2, bool), np.zeros(1, "f8,i4"), np.zeros(1, "M8[s]")],
    )
    def test_other_types(self, tmp_path: Path, array: np.ndarray) -> None:
        np.save(tmp_path / "x.npy", array)
        assert "not float16, float32, float64 or int64 and narrower" in self.fault(tmp_path, "x.npy")

    def test_pickles_stay_closed(self, tmp_path: Path) -> None:
        np.save(tmp_path / "x.npy", np.array([print], dtype=object), allow_pickle=True)
        assert "Python objects" in self.fault(tmp_path, "x.npy")

    def test_archives(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "y.npz", np.zeros(2))
        (tmp_path / "y.npz").rename(tmp_path / "x.npy")
        assert "is no .npy file" in self.fault(tmp_path, "x.npy")

    @pytest.mark.parametrize(
        "shape", ["(2,", "(-1,)", "(10**9, 10**9)", "(9999999999999,)", "'a'", "__import__('os')"]
    )
    def test_broken_headers(self, tmp_path: Path, shape: str) -> None:
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
        (tmp_path / "x.npy").write_bytes(
            b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 16
        )
        assert self.fault(tmp_path, "x.npy").startswith(
            "f.yaml:5:24: x: 'x.npy' has a broken header, or fewer numbers"
        )

    def test_a_key_beside_the_file(self, tmp_path: Path) -> None:
        np.save(tmp_path / "x.npy", np.zeros(2))
        assert "the key 'shape' beside file: file alone" in self.fault(tmp_path, "x.npy, shape: [2]")
