"""Sixteen float32 side by side, as a value inside Numba: explicit vector code on any machine.

A loop over lanes needs no proof that arrays do not overlap, so it is always vectorised; the
compiler maps sixteen lanes to one, two or four registers of the machine it runs on. Rows that lanes
are loaded from are padded to a multiple of `WIDTH`; offsets count in elements of a flat array.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic as _intrinsic
from numba.extending import overload, register_model

WIDTH = 16

# a type checker sees the function that types an intrinsic, not the one that is called
intrinsic: Any = _intrinsic

_INT, _BIT = ir.IntType(32), ir.IntType(1)
_VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
_INTS = ir.VectorType(_INT, WIDTH)
_BITS = ir.VectorType(_BIT, WIDTH)


class Lanes(types.Type):
    """The Numba type of sixteen float32."""

    def __init__(self) -> None:
        super().__init__(name="float32x16")


class Mask(types.Type):
    """The Numba type of sixteen truth values."""

    def __init__(self) -> None:
        super().__init__(name="boolx16")


lanes, mask = Lanes(), Mask()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _BITS)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), _VECTOR.as_pointer())


def _splat(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_INT, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_INTS, [0] * WIDTH))


def _llvm(builder: Any, name: str, result: Any, *values: Any) -> Any:
    """A call of an intrinsic of LLVM, for vectors."""
    kind = ir.FunctionType(result, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)


@intrinsic
def load(context, array, offset):
    """The lanes at `array[offset : offset + WIDTH]`."""

    def generate(context, builder, signature, args):
        value = builder.load(_pointer(context, builder, signature.args[0], *args))
        value.align = 4
        return value

    return lanes(array, types.intp), generate


@intrinsic
def fixed(context, array, offset):
    """`load` of what nobody writes while the kernel runs: a loop needs it only once."""

    def generate(context, builder, signature, args):
        value = builder.load(_pointer(context, builder, signature.args[0], *args))
        value.align = 4
        value.set_metadata("invariant.load", builder.module.add_metadata([]))
        return value

    return lanes(array, types.intp), generate


@intrinsic
def store(context, array, offset, value):
    """Write lanes to `array[offset : offset + WIDTH]`."""

    def generate(context, builder, signature, args):
        pointer = _pointer(context, builder, signature.args[0], *args[:2])
        builder.store(args[2], pointer).align = 4
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@intrinsic
def stream(context, array, offset, value):
    """`store` for what is not read again soon, past the cache; to the start of a cache line."""

    def generate(context, builder, signature, args):
        pointer = _pointer(context, builder, signature.args[0], *args[:2])
        instruction = builder.store(args[2], pointer)
        instruction.align = 4 * WIDTH
        one = builder.module.add_metadata([ir.Constant(_INT, 1)])
        instruction.set_metadata("nontemporal", one)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@intrinsic
def splat(context, scalar):
    """The same float32 in all lanes."""

    def generate(context, builder, signature, args):
        return _splat(builder, args[0])

    return lanes(types.float32), generate


@intrinsic
def fma(context, a, b, c):
    """`a * b + c`, rounded once."""

    def generate(context, builder, signature, args):
        return _llvm(builder, f"llvm.fma.v{WIDTH}f32", _VECTOR, *args)

    return lanes(lanes, lanes, lanes), generate


@intrinsic
def select(context, condition, a, b):
    """`a` where the condition holds, else `b`."""

    def generate(context, builder, signature, args):
        return builder.select(*args)

    return lanes(mask, lanes, lanes), generate


@intrinsic
def bits(context, condition):
    """The truth values as the bits of an int32, lane 0 lowest."""

    def generate(context, builder, signature, args):
        return builder.zext(builder.bitcast(args[0], ir.IntType(WIDTH)), _INT)

    return types.int32(mask), generate


@intrinsic
def lowest(context, word):
    """The index of the lowest set bit of an int32 that is not zero."""

    def generate(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(_BIT, 1))

    return types.int32(types.int32), generate


@intrinsic
def append(context, array, offset, condition, first):
    """Write `first + lane` for the lanes where the condition holds, side by side from `offset` on.

    All of `array[offset : offset + WIDTH]` may be overwritten.

    Returns:
        how many there are.
    """

    def generate(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer = builder.bitcast(builder.gep(data, [args[1]]), _INTS.as_pointer())
        start = builder.trunc(args[3], _INT)
        undefined = ir.Constant(_INTS, ir.Undefined)
        spread = builder.insert_element(undefined, start, ir.Constant(_INT, 0))
        spread = builder.shuffle_vector(spread, undefined, ir.Constant(_INTS, [0] * WIDTH))
        index = builder.add(spread, ir.Constant(_INTS, list(range(WIDTH))))
        name = f"llvm.experimental.vector.compress.v{WIDTH}i32"
        packed = _llvm(builder, name, _INTS, index, args[2], undefined)
        builder.store(packed, pointer).align = 4
        word = builder.bitcast(args[2], ir.IntType(WIDTH))
        return builder.zext(builder.ctpop(word), ir.IntType(64))

    return types.int64(array, types.intp, mask, types.int64), generate


@intrinsic
def total(context, value):
    """The sum of all lanes."""

    def generate(context, builder, signature, args):
        zero = ir.Constant(ir.FloatType(), 0.0)
        call = _llvm(builder, f"llvm.vector.reduce.fadd.v{WIDTH}f32", ir.FloatType(), zero, args[0])
        call.fastmath.add("reassoc")
        return call

    return types.float32(lanes), generate


@intrinsic
def fetch(context, array, offset):
    """Ask for `array[offset]` to be brought near, without waiting."""

    def generate(context, builder, signature, args):
        pointer = _pointer(context, builder, signature.args[0], *args)
        byte = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        hints = (ir.Constant(_INT, n) for n in (0, 3, 1))
        _llvm(builder, "llvm.prefetch.p0", ir.VoidType(), byte, *hints)
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@intrinsic
def _power_of_two(context, value):
    def generate(context, builder, signature, args):
        bias, shift = (ir.Constant(_INTS, [n] * WIDTH) for n in (127, 23))
        whole = builder.fptosi(args[0], _INTS)
        return builder.bitcast(builder.shl(builder.add(whole, bias), shift), _VECTOR)

    return lanes(lanes), generate


def _unary(name: str) -> Any:
    def typed(context, value):
        def generate(context, builder, signature, args):
            return _llvm(builder, f"llvm.{name}.v{WIDTH}f32", _VECTOR, *args)

        return lanes(lanes), generate

    return intrinsic(typed)


def _binary(instruction: str) -> Any:
    def typed(context, a, b):
        def generate(context, builder, signature, args):
            return getattr(builder, instruction)(*args)

        return lanes(lanes, lanes), generate

    return intrinsic(typed)


def _compare(sign: str) -> Any:
    def typed(context, a, b):
        def generate(context, builder, signature, args):
            # unordered for !=, so that a derivative that is not a number counts as one that is
            compare = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
            return compare(sign, *args)

        return mask(lanes, lanes), generate

    return intrinsic(typed)


def _logic(instruction: str) -> Any:
    def typed(context, a, b):
        def generate(context, builder, signature, args):
            return getattr(builder, instruction)(*args)

        return mask(mask, mask), generate

    return intrinsic(typed)


absolute, nearest = _unary("fabs"), _unary("roundeven")


def _operator(symbol: Any, kind: type, implementation: Any) -> None:
    @overload(symbol)
    def typed(a, b):
        if isinstance(a, kind) and isinstance(b, kind):
            return lambda a, b: implementation(a, b)
        return None


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_symbol, Lanes, _binary(_instruction))
for _symbol, _sign in (
    (operator.gt, ">"),
    (operator.le, "<="),
    (operator.lt, "<"),
    (operator.ne, "!="),
):
    _operator(_symbol, Lanes, _compare(_sign))
_operator(operator.and_, Mask, _logic("and_"))
