"""Events as TensorBoard writes them -> tensorboard.json

Needs the package tensorboard (2.21 wrote the file): its messages and its record writer. The same events are told to our log
by test/train/tensorboard/tensorboard-log.test.ts, and the bytes are compared.
"""

import base64
import io

from golden_files import write_json

try:
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter
except ImportError:
    RecordWriter = None

WALL_TIME = 1_700_000_000.25


class Kept(io.BytesIO):
    def close(self):
        pass


def main():
    if RecordWriter is None:
        print("  tensorboard is not there: its file stays as it is")
        return
    kept = Kept()
    writer = RecordWriter(kept)

    def write(**fields):
        writer.write(event_pb2.Event(wall_time=WALL_TIME, **fields).SerializeToString())

    def scalars(step, **values):
        value = [summary_pb2.Summary.Value(tag=tag.replace("__", "/"), simple_value=v) for tag, v in values.items()]
        write(step=step, summary=summary_pb2.Summary(value=value))

    write(file_version="brain.Event:2")
    write(step=41, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START))
    scalars(50, train__loss=0.75, train__gradient_norm=1.5, train__learning_rate=0.001)
    scalars(60, train__loss=0.5, train__learning_rate=0.0005, train__loss_scale=65536.0)
    scalars(60, epoch__number=3, epoch__loss=0.625, epoch__seconds=12.5, validation__mAP=0.25, validation__auroc=0.7)
    writer.flush()
    write_json("tensorboard.json", {"wallTime": WALL_TIME, "file": base64.b64encode(kept.getvalue()).decode()})


if __name__ == "__main__":
    main()
