import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { crc32c } from '../../storage/crc32c.js';
import { EventSchema } from './events_pb.js';

/**
 * An event as a record of TensorBoard's files (TFRecord): length, its checksum, the message, its checksum. Numbers are
 * little-endian; checksums are rotated and shifted, so that one of bytes that hold checksums is worth something.
 */
export function eventRecord(event: MessageInitShape<typeof EventSchema>): Uint8Array {
  const data = toBinary(EventSchema, create(EventSchema, event));
  const record = new Uint8Array(8 + 4 + data.length + 4);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, masked(data), true);
  return record;
}

function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
