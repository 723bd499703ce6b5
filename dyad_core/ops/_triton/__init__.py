"""The Triton implementation in parts; importing the package imports neither triton nor CUDA.

``plan`` decides passes and copies, ``settings`` the tile sizes, ``kernel`` is the one kernel, ``launch`` runs it,
``function`` makes it differentiable and visible to torch.compile, ``tune`` measures tile sizes.
"""
