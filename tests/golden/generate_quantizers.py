#!/usr/bin/env python3
"""Golden digests of the quantizers, from the reference implementations.

Writes quantizers.csv and quantizers_examples.csv beside itself. The tests read only these; this script is for whoever wants to generate it again:

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 gguf==0.19.0 pyyaml requests tqdm torch==2.15.0 \
        bitsandbytes==0.50.2 onnxruntime==1.32.0 onnx==1.23.2 flatbuffers
    venv/bin/pip download --no-deps --no-binary llama-cpp-python llama-cpp-python==0.3.16 && tar xf llama_cpp_python-0.3.16.tar.gz
    venv/bin/python generate_quantizers.py --ggml llama_cpp_python-0.3.16/vendor/llama.cpp/ggml

Every digest comes from a transcription of the reference's recipe into NumPy's float32, operation by operation. It is compared with the
packages themselves on every group, and the script fails if they disagree, but for the differences listed in `EXPECTED`, which it counts:

- bitsandbytes, on a processor: NF4, int8-processor and fp4-processor must agree in every byte. There int8 multiplies by fl(127*fl(1/a)), since
  PyTorch divides a number by a tensor that way, and FP4 has midpoints, ties towards the lower value on both sides of zero, and either code of
  zero for zero. int8 and fp4 follow the package's kernels for graphics cards, fl(127/a) and literals; they are counted, not compared.
- gguf (Python): Q8_0, Q4_0 and Q4_1 must agree in every byte.
- ggml (C, from the sources inside llama-cpp-python, compiled without fused multiply-adds): all five formats must agree in every byte.
- onnxruntime: DynamicQuantizeLinear must agree in every byte, but for rows of zeros, which have scale 1 there and 0 here.

Inputs follow a recipe that the tests repeat: see `weights`.
"""

import argparse
import ctypes
import pathlib
import subprocess
import tempfile

import numpy as np

f32 = np.float32
BATCH = 64
# Groups whose bytes are written out, to see where an implementation goes wrong.
EXAMPLES = [0, 2, 4, 7]
HERE = pathlib.Path(__file__).parent

# Scheme, weights a group, groups: 132,096 groups of recipes that a package is compared with in every byte, the rest of their variants.
SCHEMES = [
    ("int8", 64, 16384),
    ("nf4", 64, 16384),
    ("fp4", 64, 16384),
    ("int8-processor", 64, 16384),
    ("fp4-processor", 64, 16384),
    ("asym-u8", 64, 16384),
    ("q8_0", 32, 20480),
    ("q4_0", 32, 20480),
    ("q4_1", 32, 20480),
    ("q4_k-20", 256, 2560),
    ("q6_k-9", 256, 2560),
    ("q4_k-0", 256, 1024),
    ("q6_k-0", 256, 1024),
    ("int7", 64, 512),
    ("int6", 64, 512),
    ("int5", 64, 512),
    ("int4", 64, 512),
    ("int3", 64, 512),
    ("int2", 64, 512),
]


# --- Inputs -------------------------------------------------------------------------------------------------------------------


def mix(x):
    """The finalizer of MurmurHash3, a bijection of 32-bit words."""
    x = x.astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return x


def word(group, index):
    """The random word of a weight (or, with indices from 65536 on, of a group)."""
    with np.errstate(over="ignore"):
        return mix(mix(group.astype(np.uint32) * np.uint32(0x9E3779B9)) + index.astype(np.uint32) * np.uint32(0x7FEB352D))


def weights(groups, length):
    """Groups 0 to groups - 1 of the recipe, shape (groups, length). Every step is exact in float32.

    The shape of group g depends on g mod 8, with h the word of the weight:
      0  even: (h >> 8)/2^23 - 1
      1  bell-shaped: sum of the four bytes of h, minus 510, over 512
      2  ties of 8-bit codes: (h mod 509 - 254)/256, the first weight 254/256
      3  ties of 4-bit codes: (h mod 33 - 16)/32
      4  of every size: sign, fraction and an exponent from -31 to 0
      5  ties of the extremes: -1, 0 or 1
      6  one-sided: |even|, negated in every second such group
      7  one outlier: even/64, weight (h_group mod length) set to +-1
    Then scaled by 2^(w mod 29 - 20) with w the group's word of index 65536; every 64th group by a further 2^-44; every 64th group is
    zero.
    """
    group = np.arange(groups, dtype=np.uint32)[:, None]
    index = np.arange(length, dtype=np.uint32)[None, :]
    h = word(group, index)
    even = (h >> np.uint32(8)).astype(f32) * f32(2.0**-23) - f32(1)
    total = sum(((h >> np.uint32(shift)) & np.uint32(255)).astype(np.int64) for shift in (0, 8, 16, 24))
    bell = (total - 510).astype(f32) / f32(512)
    ties8 = ((h % np.uint32(509)).astype(np.int64) - 254).astype(f32) / f32(256)
    ties8[:, 0] = f32(254 / 256)
    ties4 = ((h % np.uint32(33)).astype(np.int64) - 16).astype(f32) / f32(32)
    sizes = ((h & np.uint32(0x807FFFFF)) | ((np.uint32(96) + ((h >> np.uint32(23)) & np.uint32(31))) << np.uint32(23))).view(f32)
    extremes = ((h % np.uint32(3)).astype(np.int64) - 1).astype(f32)
    sign = np.where((group // 8) % 2 == 0, f32(1), f32(-1)).astype(f32)
    one_sided = np.abs(even) * sign
    outlier = even / f32(64)
    place = word(group, np.full_like(group, 65537)) % np.uint32(length)
    outlier = np.where(index == place, sign, outlier)
    shapes = [even, bell, ties8, ties4, sizes, extremes, one_sided, outlier]
    x = np.choose(group % 8, shapes).astype(f32)
    exponent = (word(group, np.full_like(group, 65536)) % np.uint32(29)).astype(np.int64) - 20
    exponent = exponent - np.where(group % 64 == 31, 44, 0)
    x = np.ldexp(x, exponent).astype(f32)
    return np.where(group % 64 == 63, f32(0), x)


# --- Transcriptions ------------------------------------------------------------------------------------------------------------


def rne(y):
    magic = f32(12582912.0)
    return (y + magic) - magic


def first_largest(x):
    """Signed value of the first entry of largest magnitude in each row."""
    return np.take_along_axis(x, np.abs(x).argmax(axis=1)[:, None], axis=1)


def divide(a, b):
    """a/b, 0 where b is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b == 0, f32(0), a / b).astype(f32)


NF4_THRESHOLDS = np.array(
    [0xBF591CD8, 0xBF1C5270, 0xBEEB8480, 0xBEADEA76, 0xBE703CEC, 0xBE0D38BC, 0xBD3A7871, 0x3D22FAFF, 0x3DF64862, 0x3E5067E0]
    + [0x3E9582D4, 0x3EC753F9, 0x3F006D04, 0x3F248DAF, 0x3F5C89DA],
    dtype=np.uint32,
).view(f32)
FP4_KERNEL = np.array([0.00260417, 0.0859375, 0.20833333, 0.29166667, 0.4166667, 0.583333, 0.8333333], dtype=f32)
FP4_MAGNITUDES = np.array([0, 1 / 192, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1], dtype=np.float64).astype(f32)
FP4_FROM_RANK = np.array([0, 1, 6, 7, 4, 5, 2, 3], dtype=np.uint8)


def absmax_int(x, bits):
    largest = f32(2 ** (bits - 1) - 1)
    a = np.abs(x).max(axis=1, keepdims=True)
    codes = rne(x * divide(largest, a)).astype(np.int8).view(np.uint8)
    return codes, a


def nf4(x):
    a = np.abs(x).max(axis=1, keepdims=True)
    y = x * divide(f32(1), a)
    return (y[:, :, None] > NF4_THRESHOLDS).sum(axis=2).astype(np.uint8), a


def fp4(x):
    a = np.abs(x).max(axis=1, keepdims=True)
    y = x * divide(f32(1), a)
    m = (np.abs(y)[:, :, None] > FP4_KERNEL).sum(axis=2)
    return FP4_FROM_RANK[m] + np.where(y < 0, 8, 0).astype(np.uint8), a


# The order in which the package's sort leaves the two codes of zero.
ZEROS = [0, 8]


def on_a_processor(scheme, x):
    a = np.abs(x).max(axis=1, keepdims=True)
    reciprocal = divide(f32(1), a)
    if scheme == "int8":
        return joined(rne(x * (reciprocal * f32(127))).astype(np.int8), a)
    values = np.concatenate([-FP4_MAGNITUDES[:0:-1], [f32(0), f32(0)], FP4_MAGNITUDES[1:]]).astype(f32)
    order = np.concatenate([8 + FP4_FROM_RANK[:0:-1], ZEROS, FP4_FROM_RANK[1:]]).astype(np.uint8)
    midpoints = (values[:-1] + values[1:]) / f32(2)
    y = np.clip(x * reciprocal, f32(-1), f32(1))
    return joined(order[(y[:, :, None] > midpoints).sum(axis=2)], a)


def asym_u8(x):
    low = np.minimum(x.min(axis=1, keepdims=True), f32(0))
    high = np.maximum(x.max(axis=1, keepdims=True), f32(0))
    s = (high - low) / f32(255)
    z = np.clip(rne(divide(-low, s)), 0, 255)
    codes = np.clip(rne(divide(x, s)) + z, 0, 255).astype(np.uint8)
    return codes, np.concatenate([s, np.abs(z)], axis=1).astype(f32)


def half(x):
    return x.astype(np.float16).view(np.uint8).reshape(len(x), -1)


def nibbles(codes, run):
    """Two codes a byte, the second of a pair `run` weights behind the first."""
    pairs = codes.reshape(len(codes), -1, 2, run)
    return (pairs[:, :, 0] | (pairs[:, :, 1] << 4)).reshape(len(codes), -1)


def q8_0(x):
    d = np.abs(x).max(axis=1, keepdims=True) / f32(127)
    y = x * divide(f32(1), d)
    whole = np.trunc(y)
    codes = whole + np.where(np.abs(y - whole) >= f32(0.5), np.sign(y), f32(0))
    return np.concatenate([half(d), codes.astype(np.int8).view(np.uint8)], axis=1)


def q4_0(x):
    d = first_largest(x) / f32(-8)
    codes = np.minimum(15, np.trunc(x * divide(f32(1), d) + f32(8.5))).astype(np.uint8)
    return np.concatenate([half(d), nibbles(codes, 16)], axis=1)


def q4_1(x):
    low, high = x.min(axis=1, keepdims=True), x.max(axis=1, keepdims=True)
    d = (high - low) / f32(15)
    codes = np.minimum(15, np.trunc((x - low) * divide(f32(1), d) + f32(0.5))).astype(np.uint8)
    return np.concatenate([half(d), half(low), nibbles(codes, 16)], axis=1)


def running_sum(terms):
    """Sums of the rows, left to right."""
    return np.cumsum(terms, axis=1, dtype=f32)[:, -1:]


def codes_u4(y):
    return np.clip(np.nan_to_num(rne(y)), 0, 15)


def q4_k(x, steps):
    n = len(x)
    x = x.reshape(-1, 32)
    low = np.minimum(x.min(axis=1, keepdims=True), f32(0))
    high = x.max(axis=1, keepdims=True)
    flat = high == low
    with np.errstate(all="ignore"):
        inverse = divide(f32(15), high - low)
        scale, minimum = divide(f32(1), inverse), low.copy()
        codes = codes_u4(inverse * (x - low))
        if steps:
            w = np.sqrt(running_sum(x * x) / f32(32)) + np.abs(x)
            sum_w, sum_x = running_sum(w), running_sum(w * x)

            def error(codes, scale, minimum):
                difference = (scale * codes + minimum) - x
                return running_sum(w * (difference * difference))

            least = error(codes, scale, minimum)
            for step in range(steps + 1):
                trial = codes_u4((f32(-1) + f32(0.1) * f32(step) + f32(15)) / (high - minimum) * (x - minimum))
                sum_l, sum_l2 = running_sum(w * trial), running_sum(w * trial * trial)
                sum_xl = running_sum(w * trial * x)
                determinant = sum_w * sum_l2 - sum_l * sum_l
                fitted = (sum_w * sum_xl - sum_x * sum_l) / determinant
                offset = (sum_l2 * sum_x - sum_l * sum_xl) / determinant
                fitted = np.where(offset > 0, sum_xl / sum_l2, fitted)
                offset = np.where(offset > 0, f32(0), offset)
                current = error(trial, fitted, offset)
                better = ~flat & (determinant > 0) & (current < least)
                codes = np.where(better, trial, codes)
                scale = np.where(better, fitted, scale)
                minimum = np.where(better, offset, minimum)
                least = np.where(better, current, least)
        scales, offsets = np.where(flat, f32(0), scale).reshape(n, 8), (-minimum).reshape(n, 8)
        largest_scale = np.maximum(scales.max(axis=1, keepdims=True), f32(0))
        largest_offset = np.maximum(offsets.max(axis=1, keepdims=True), f32(0))
        ls = np.clip(rne(divide(f32(63), largest_scale) * scales), 0, 63)
        lm = np.clip(rne(divide(f32(63), largest_offset) * offsets), 0, 63)
        d, dmin = (largest_scale / f32(63)).astype(np.float16), (largest_offset / f32(63)).astype(np.float16)
        wide, offset = (d.astype(f32) * ls).reshape(-1, 1), (dmin.astype(f32) * lm).reshape(-1, 1)
        codes = np.where(wide == 0, codes, codes_u4((x + offset) / wide)).astype(np.uint8).reshape(n, 256)
    ls, lm = ls.astype(np.uint8), lm.astype(np.uint8)
    levels = np.concatenate(
        [
            ls[:, :4] | (ls[:, 4:] >> 4 << 6),
            lm[:, :4] | (lm[:, 4:] >> 4 << 6),
            (ls[:, 4:] & 15) | (lm[:, 4:] << 4),
        ],
        axis=1,
    )
    return np.concatenate([d.view(np.uint8).reshape(n, 2), dmin.view(np.uint8).reshape(n, 2), levels, nibbles(codes, 32)], axis=1)


def codes_s6(y):
    return np.clip(np.nan_to_num(rne(y)), -32, 31)


def q6_k(x, steps):
    n = len(x)
    x = x.reshape(-1, 16)
    largest = first_largest(x)
    zero = np.abs(largest) < f32(1e-15)
    w = x * x

    def sums(inverse):
        codes = codes_s6(inverse * x)
        return codes, running_sum(w * x * codes), running_sum(w * codes * codes)

    with np.errstate(all="ignore"):
        inverse = np.where(zero, f32(0), f32(-32) / largest)
        codes, sum_xl, sum_l2 = sums(inverse)
        if steps:
            scale = divide(sum_xl, sum_l2)
            most = scale * sum_xl
            for step in [s for s in range(-steps, steps + 1) if s]:
                trial, sum_xl, sum_l2 = sums(-(f32(32) + f32(0.1) * f32(step)) / largest)
                better = ~zero & (sum_l2 > 0) & (sum_xl * sum_xl > most * sum_l2)
                codes = np.where(better, trial, codes)
                scale = np.where(better, divide(sum_xl, sum_l2), scale)
                most = np.where(better, scale * sum_xl, most)
        else:
            scale = divide(f32(1), inverse)
        scales = np.where(zero, f32(0), scale).reshape(n, 16)
        codes = np.where(zero, f32(-32), codes)
        peak = first_largest(scales)
        inverse = f32(-128) / peak
        d = (f32(1) / inverse).astype(np.float16)
        levels = np.clip(np.nan_to_num(rne(inverse * scales)), -128, 127)
        wide = (d.astype(f32) * levels).reshape(-1, 1)
        codes = np.where(wide == 0, codes, codes_s6(x / wide)).reshape(n, 256)
    codes = (codes + 32).astype(np.uint8)
    empty = np.abs(peak) < f32(1e-15)
    quarters = codes.reshape(n, 2, 4, 32)
    low = nibbles(codes & 15, 64)
    high = sum((quarters[:, :, q] >> 4) << (2 * q) for q in range(4)).astype(np.uint8).reshape(n, 64)
    blocks = np.concatenate([low, high, levels.astype(np.int8).view(np.uint8), d.view(np.uint8).reshape(n, 2)], axis=1)
    return np.where(empty, np.uint8(0), blocks)


def transcription(scheme, x):
    """The stored bytes of each group: codes and little-endian scales, or the block."""
    name, _, steps = scheme.partition("-")
    if name in ("q8_0", "q4_0", "q4_1"):
        return {"q8_0": q8_0, "q4_0": q4_0, "q4_1": q4_1}[name](x)
    if name in ("q4_k", "q6_k"):
        return {"q4_k": q4_k, "q6_k": q6_k}[name](x, int(steps))
    if name == "nf4":
        codes, scales = nf4(x)
    elif steps == "processor":
        return on_a_processor(name, x)
    elif name == "fp4":
        codes, scales = fp4(x)
    elif name == "asym":
        codes, scales = asym_u8(x)
    else:
        codes, scales = absmax_int(x, int(name.removeprefix("int")))
    scales = np.ascontiguousarray(scales.astype("<f4")).view(np.uint8).reshape(len(x), -1)
    return np.concatenate([codes, scales], axis=1)


# --- References -----------------------------------------------------------------------------------------------------------------


def joined(codes, scales):
    scales = np.ascontiguousarray(scales.astype("<f4")).reshape(len(codes), -1).view(np.uint8)
    return np.concatenate([codes.reshape(len(codes), -1).view(np.uint8), scales], axis=1)


def bitsandbytes_reference(scheme, x):
    import torch
    import bitsandbytes.functional as functional

    tensor = torch.from_numpy(x.copy())
    if scheme.startswith("int8"):
        codes, scales, _ = functional.int8_vectorwise_quant(tensor)
        return joined(codes.numpy(), scales.numpy())
    packed, state = functional.quantize_4bit(tensor, blocksize=64, quant_type=scheme.partition("-")[0])
    packed = packed.numpy().reshape(len(x), 32)
    codes = np.stack([packed >> 4, packed & 15], axis=2)
    return joined(codes.reshape(len(x), 64), state.absmax.numpy())


def gguf_reference(scheme, x):
    import gguf

    return gguf.quants.quantize(x, gguf.GGMLQuantizationType[scheme.upper()])


def onnxruntime_reference(x):
    import onnx
    import onnxruntime

    node = onnx.helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"])
    value = onnx.helper.make_tensor_value_info
    kinds = onnx.TensorProto
    graph = onnx.helper.make_graph(
        [node],
        "quantize",
        [value("x", kinds.FLOAT, [64])],
        [value("y", kinds.UINT8, [64]), value("s", kinds.FLOAT, []), value("z", kinds.UINT8, [])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = []
    for row in x:
        codes, scale, zero_point = session.run(None, {"x": row})
        rows.append(np.concatenate([codes, np.array([scale, zero_point], dtype="<f4").view(np.uint8)]))
    return np.stack(rows)


def ggml_library(source):
    """Compiles the reference quantizers of ggml without fused multiply-adds."""
    source = pathlib.Path(source)
    library = pathlib.Path(tempfile.mkdtemp()) / "libggml-quants.so"
    command = ["cc", "-O2", "-fPIC", "-shared", "-ffp-contract=off", "-DNDEBUG", "-D_GNU_SOURCE"]
    command += [f"-I{source}/include", f"-I{source}/src", f"{source}/src/ggml-quants.c", "-o", str(library), "-lm"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(library), mode=ctypes.DEFAULT_MODE | 1)


def ggml_reference(library, scheme, x, block_bytes):
    out = np.zeros((len(x), block_bytes), dtype=np.uint8)
    function = getattr(library, f"quantize_row_{scheme.partition('-')[0].replace('_k', '_K')}_ref")
    function.restype = None
    pointer = ctypes.c_void_p
    function(x.ctypes.data_as(pointer), out.ctypes.data_as(pointer), ctypes.c_int64(x.size))
    return out


# Where a reference may differ in some groups, and why.
EXPECTED = {
    ("bitsandbytes", "int8"): "the recipe for graphics cards",
    ("bitsandbytes", "fp4"): "the recipe for graphics cards",
}


def compare(reference, scheme, x, ours, theirs):
    differing = (ours != theirs).any(axis=1)
    count = int(differing.sum())
    print(f"{scheme:13} {reference:13} {len(x)} groups, {count} differ", end="")
    if count:
        print(f" in {int((ours != theirs).sum())} bytes", end="")
        why = EXPECTED.get((reference, scheme))
        if why is None:
            g = int(differing.argmax())
            print()
            print(f"first: group {g}, bytes {np.flatnonzero(ours[g] != theirs[g])[:8]}, ours {ours[g]}, theirs {theirs[g]}, x {x[g].tolist()}")
            raise SystemExit(1)
        print(f" ({why})", end="")
    print()


# --- Digests --------------------------------------------------------------------------------------------------------------------


def fnv1a64(rows):
    """FNV-1a-64 of each row of bytes."""
    hashes = np.full(len(rows), 0xCBF29CE484222325, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for column in rows.T:
            hashes = (hashes ^ column.astype(np.uint64)) * np.uint64(0x100000001B3)
    return hashes


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ggml", required=True, help="the folder ggml of llama.cpp's sources")
    library = ggml_library(parser.parse_args().ggml)
    import gguf

    lines = ["scheme,batch,stored,dequantized"]
    examples = ["scheme,group,stored"]
    for scheme, length, groups in SCHEMES:
        x = weights(groups, length)
        ours = transcription(scheme, x)
        if scheme in ("int8", "int8-processor", "nf4", "fp4", "fp4-processor"):
            compare("bitsandbytes", scheme, x, ours, bitsandbytes_reference(scheme, x))
        if scheme in ("q8_0", "q4_0", "q4_1"):
            compare("gguf", scheme, x, ours, gguf_reference(scheme, x))
        if scheme in ("q8_0", "q4_0", "q4_1", "q4_k-20", "q6_k-9"):
            compare("ggml", scheme, x, ours, ggml_reference(library, scheme, x, ours.shape[1]))
        if scheme == "asym-u8":
            filled = x.any(axis=1)
            compare("onnxruntime", scheme, x[filled], ours[filled], onnxruntime_reference(x[filled]))
        examples += [f"{scheme},{group},{ours[group].tobytes().hex()}" for group in EXAMPLES]
        stored = fnv1a64(ours.reshape(groups // BATCH, -1))
        dequantized = [""] * len(stored)
        if scheme[0] == "q":
            kind = gguf.GGMLQuantizationType[scheme.partition("-")[0].upper()]
            values = gguf.quants.dequantize(ours, kind).astype("<f4")
            dequantized = [f"{h:016x}" for h in fnv1a64(values.view(np.uint8).reshape(groups // BATCH, -1))]
        lines += [f"{scheme},{batch},{h:016x},{d}" for batch, (h, d) in enumerate(zip(stored, dequantized))]
    (HERE / "quantizers.csv").write_text("\n".join(lines) + "\n")
    (HERE / "quantizers_examples.csv").write_text("\n".join(examples) + "\n")


if __name__ == "__main__":
    main()
