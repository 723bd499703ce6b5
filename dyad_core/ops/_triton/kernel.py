"""The one Triton kernel: both components of a tile accumulate into one sum; interleaving is an index calculation.

A program owns BLOCK_M tokens × up to BLOCK_N outputs of one cell. For ``it`` and ``bd`` a cell is an output block.
For ``ot`` and ``dt`` it is the outputs that lie both in BLOCKDIAG block b and in BLOCKTRANS group c: a range of
positions in group c, so both products write the same outputs and no second pass is needed. Their rows of
``weight_blockdiag`` are n·GRAIN apart, which costs nothing, because a row is contiguous in itself.

Triton reads this file's source: no postponed annotations here. Capitals are constants of the compilation.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# The parameters are Triton's own values, which have no Python types. N803: the capitals are Triton's convention.
# ruff: noqa: N803

import triton
import triton.language as tl

__all__ = ["dyad_kernel"]


@triton.jit
def interleave(position, group, N_BLOCKS: tl.constexpr, GRAIN: tl.constexpr):
    """Feature at a position of an interleaved group; contiguous in runs of GRAIN."""
    return position // GRAIN * (GRAIN * N_BLOCKS) + group * GRAIN + position % GRAIN


@triton.jit
def accumulate(
    total,  # (BLOCK_M, BLOCK_N)
    tokens_at,  # (BLOCK_M, 1) pointers to feature 0 of each token
    feature_stride,
    group,
    rows_at,  # (1, BLOCK_N) pointers to the first weight of each output
    inner_stride,
    BLOCK_IN: tl.constexpr,
    INTERLEAVED: tl.constexpr,
    N_BLOCKS: tl.constexpr,
    GRAIN: tl.constexpr,
    BLOCK_K: tl.constexpr,
    WIDE: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Add the product of the tile's tokens in one input group with the weights of the tile's outputs."""
    for start in range(0, BLOCK_IN, BLOCK_K):
        inner = start + tl.arange(0, BLOCK_K)
        if WIDE:
            inner = inner.to(tl.int64)
        feature = interleave(inner, group, N_BLOCKS, GRAIN) if INTERLEAVED else group * BLOCK_IN + inner
        values_at = tokens_at + feature[None, :] * feature_stride
        weights_at = rows_at + inner[:, None] * inner_stride
        if BLOCK_IN % BLOCK_K == 0:
            values = tl.load(values_at)
            weights = tl.load(weights_at)
        else:
            values = tl.load(values_at, mask=inner[None, :] < BLOCK_IN, other=0.0)
            weights = tl.load(weights_at, mask=inner[:, None] < BLOCK_IN, other=0.0)
        total = tl.dot(values, weights, total, input_precision=PRECISION, out_dtype=total.dtype)
    return total


@triton.jit
def activate(value, ACTIVATION: tl.constexpr):
    """Apply the activation, in the precision of the sum."""
    if ACTIVATION == "relu":
        value = tl.where(value < 0, 0.0, value)  # a NaN stays one, as in torch
    elif ACTIVATION == "gelu":
        value = 0.5 * value * (1.0 + tl.erf(value * 0.7071067811865476))  # 1/√2
    elif ACTIVATION == "silu":
        value = value / (1.0 + tl.exp(-value))
    return value


@triton.jit
def tile_of(program, tokens, columns, BLOCK_M: tl.constexpr, GROUP_M: tl.constexpr):
    """Token tile and column of a program: GROUP_M token tiles share the weights of a column while they are in L2."""
    token_tiles = tl.cdiv(tokens, BLOCK_M)
    in_group = GROUP_M * columns
    first = program // in_group * GROUP_M
    height = tl.minimum(token_tiles - first, GROUP_M)
    return first + program % in_group % height, program % in_group // height


@triton.jit
def dyad_kernel(
    x,  # (tokens, in_features)
    groups,  # what BLOCKTRANS reads: x itself, or its copy in which every group is contiguous
    weight_blockdiag,  # (N_BLOCKS, BLOCK_OUT, BLOCK_IN), any strides
    weight_blocktrans,  # the same
    bias,  # (out_features,)
    addend,  # (tokens, out_features) by groups: a BLOCKTRANS product that was made before
    y,  # (tokens, out_features), contiguous
    tokens,
    x_token_stride,
    x_feature_stride,
    groups_token_stride,
    groups_feature_stride,
    diag_block_stride,
    diag_row_stride,
    diag_inner_stride,
    trans_block_stride,
    trans_row_stride,
    trans_inner_stride,
    CELL_TILES: tl.constexpr,  # tiles in the largest cell
    BLOCK_IN: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    N_BLOCKS: tl.constexpr,
    GRAIN: tl.constexpr,
    DIAG: tl.constexpr,
    TRANS: tl.constexpr,
    CELLS: tl.constexpr,  # whether a cell is an intersection (ot, dt) or a whole output block
    INTERLEAVED: tl.constexpr,  # whether groups is read by index calculation
    BIAS: tl.constexpr,
    ADDEND: tl.constexpr,
    ACTIVATION: tl.constexpr,
    TOTAL: tl.constexpr,  # dtype of the sum
    PRECISION: tl.constexpr,
    WIDE: tl.constexpr,  # whether an offset into an operand may need 64 bits
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    GROUP_M: tl.constexpr,
    RUN: tl.constexpr,  # largest power of two that divides GRAIN
):
    """Write one tile of ``activation(x @ W.T + bias)``; one dimension of programs, see :func:`tile_of`."""
    cells_in_block: tl.constexpr = N_BLOCKS if CELLS else 1
    token_tile, column = tile_of(tl.program_id(0), tokens, N_BLOCKS * cells_in_block * CELL_TILES, BLOCK_M, GROUP_M)
    if WIDE:
        column = column.to(tl.int64)
    # Groups run fastest: the programs that fill one stretch of the output between them follow each other.
    block = column // (cells_in_block * CELL_TILES)
    tile = column // cells_in_block % CELL_TILES
    if CELLS:
        group = column % cells_in_block
        runs = BLOCK_OUT // GRAIN
        first = (block * runs - group + N_BLOCKS - 1) // N_BLOCKS * GRAIN
        count = ((block + 1) * runs - group + N_BLOCKS - 1) // N_BLOCKS * GRAIN - first
    else:
        group = block
        count = BLOCK_OUT
    if tile * BLOCK_N >= count:
        return  # cells differ in size, and may be empty

    # Out-of-range tokens and outputs wrap around: loads need no mask, and the store drops the result.
    row = token_tile * BLOCK_M + tl.arange(0, BLOCK_M)
    token = (row % tokens).to(tl.int64)
    place = tile * BLOCK_N + tl.arange(0, BLOCK_N)
    if CELLS:
        # The compiler does not see through the cell's bounds; without these hints stores are 2 bytes each.
        position = tl.max_contiguous(tl.multiple_of(first + place % tl.multiple_of(count, RUN), RUN), RUN)
        output = position // GRAIN * (GRAIN * N_BLOCKS) + group * GRAIN + position % GRAIN
        output = tl.max_contiguous(tl.multiple_of(output, RUN), RUN)
    else:
        position = place % count
        output = block * BLOCK_OUT + position

    total = tl.zeros((BLOCK_M, BLOCK_N), dtype=TOTAL)
    if DIAG:
        tokens_at = x + token[:, None] * x_token_stride
        rows = output - block * BLOCK_OUT
        rows_at = weight_blockdiag + block * diag_block_stride + rows[None, :] * diag_row_stride
        total = accumulate(
            total,
            tokens_at,
            x_feature_stride,
            block,
            rows_at,
            diag_inner_stride,
            BLOCK_IN,
            False,
            N_BLOCKS,
            GRAIN,
            BLOCK_K,
            WIDE,
            PRECISION,
        )
    if TRANS:
        tokens_at = groups + token[:, None] * groups_token_stride
        rows_at = weight_blocktrans + group * trans_block_stride + position[None, :] * trans_row_stride
        total = accumulate(
            total,
            tokens_at,
            groups_feature_stride,
            group,
            rows_at,
            trans_inner_stride,
            BLOCK_IN,
            INTERLEAVED,
            N_BLOCKS,
            GRAIN,
            BLOCK_K,
            WIDE,
            PRECISION,
        )

    row_start = token[:, None] * (N_BLOCKS * BLOCK_OUT)
    if ADDEND:
        grouped = output // GRAIN % N_BLOCKS * BLOCK_OUT + output // (GRAIN * N_BLOCKS) * GRAIN + output % GRAIN
        total += tl.load(addend + row_start + grouped[None, :]).to(TOTAL)
    if BIAS:
        total += tl.load(bias + output)[None, :].to(TOTAL)
    result = activate(total, ACTIVATION).to(y.dtype.element_ty)
    tl.store(y + row_start + output[None, :], result, mask=(row[:, None] < tokens) & (place[None, :] < count))
