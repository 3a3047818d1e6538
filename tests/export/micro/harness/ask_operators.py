"""Which built-in operators tflite-micro's resolver has: a file of each alone; runs in the runtime's own Python."""

import json
import os
import sys
import tempfile

import flatbuffers
from tflite_micro.python.tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema


def one_operator(number: int) -> bytes:
    model, graph, operator, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 1
    graph.tensors = []
    for name in ("x", "y"):
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer, tensor.name = [1, 4], schema.TensorType.FLOAT32, 0, name
        graph.tensors.append(tensor)
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    graph.inputs, graph.outputs, graph.operators = [0], [1], [operator]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def known(number: int) -> bool:
    """A fork: with tensors that an operator does not expect, some crash; an operator that is missing is told first."""
    with tempfile.TemporaryFile() as messages:
        child = os.fork()
        if child == 0:
            os.dup2(messages.fileno(), 2)
            try:
                runtime.Interpreter.from_bytes(one_operator(number), arena_size=100000)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        messages.seek(0)
        return b"Didn't find op" not in messages.read()


names = {name: number for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
sys.stdout.write(json.dumps(sorted(name for name, number in names.items() if known(number))))
