"""Tests, proofs, benchmarks, scans: everything that says whether Holdfast does what it should."""
