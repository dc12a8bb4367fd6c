/** Compresses the records of a batch; its head stays readable: https://kafka.apache.org/documentation/#recordbatch */
import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { compressionsAlgorithms } from '@platformatic/kafka';
import { HEAD_BYTES } from '../record-batch-layout.ts';
import { sealBatch } from './record-batch-writer.ts';

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** The functions of Node.js work in other threads; the library's block the event loop. */
const COMPRESS: Readonly<Record<Exclude<Compression, 'none'>, (records: Buffer) => Promise<Buffer>>> = {
  gzip: promisify<Buffer, Buffer>(gzip),
  snappy: async (records) => compressionsAlgorithms.snappy.compressSync(records),
  lz4: async (records) => compressionsAlgorithms.lz4.compressSync(records),
  zstd: promisify<Buffer, Buffer>(zstdCompress),
};

/** The same batch with its records compressed. */
export async function compressBatch(batch: Buffer, compression: Exclude<Compression, 'none'>): Promise<Buffer> {
  const records = await COMPRESS[compression](batch.subarray(HEAD_BYTES));
  const compressed = Buffer.concat([batch.subarray(0, HEAD_BYTES), records]);
  sealBatch(compressed, compressionsAlgorithms[compression].bitmask);
  return compressed;
}
