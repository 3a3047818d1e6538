"""Clears buffers of a .tflite file that nothing refers to.

The converter of TensorFlow 2.21 leaves the state of the fused LSTM's variable tensors, as the calibration's last sample
left it, in buffers that no tensor refers to: the same export would differ from run to run.
"""

from __future__ import annotations

from zoo.errors import ModelError

_DATA = 4  # slot of Buffer.data in TensorFlow's schema.fbs


def clear_unused(content: bytes) -> bytes:
    """The file with zeros in every buffer that neither a tensor nor metadata refers to; its layout stays.

    Raises:
        ModelError: The file is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        model = schema.Model.GetRootAs(content, 0)
        graphs = [model.Subgraphs(index) for index in range(model.SubgraphsLength())]
        used = {graph.Tensors(index).Buffer() for graph in graphs for index in range(graph.TensorsLength())}
        used |= {model.Metadata(index).Buffer() for index in range(model.MetadataLength())}
        cleared = bytearray(content)
        for index in set(range(model.BuffersLength())) - used:
            table = model.Buffers(index)._tab
            if field := table.Offset(_DATA):
                start, size = table.Vector(field), table.VectorLen(field)
                cleared[start : start + size] = bytes(size)
    except Exception as error:  # struct.error and flatbuffers' own kinds share no base
        raise ModelError(f"the .tflite file is damaged: {error}; export it again") from error
    return bytes(cleared)
