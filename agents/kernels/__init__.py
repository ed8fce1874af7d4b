"""Kernels behind plain NumPy signatures: portable ones by numba, wide ones as LLVM IR through llvmlite."""
