/** The files of deploy/demo/overlays/kafka-plain, from which its three brokers start. */
import { readFileSync } from 'node:fs';
import { DEMO } from './demo.ts';

export const BROKERS = 3;
export const KAFKA_FILES = `${DEMO}/overlays/kafka-plain/files`;

/** The properties of the brokers. */
export const BROKER_PROPERTIES = propertiesOf('broker.properties');

/** Lines of a file of Java properties, without comments. */
function propertiesOf(file: string): Record<string, string> {
  const lines = readFileSync(`${KAFKA_FILES}/${file}`, 'utf8').split('\n');
  return Object.fromEntries(
    lines
      .filter((line) => /^[^#]/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}
