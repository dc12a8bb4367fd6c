/** Which requests with a key a faulty gateway mistreats: one key for each fault, so that what the checks find can be compared with it. */

/**
 * `stored-twice`: the request is executed once more, under another key. `lost`: it is answered, and never executed. `another-answer`:
 * its repetition gets another answer. `uncommitted`: its records are also in a transaction that is aborted, and consumers read those.
 */
export const PLANTED_FAULTS = ['stored-twice', 'lost', 'another-answer', 'uncommitted'] as const;
export type PlantedFault = (typeof PLANTED_FAULTS)[number];

export class PlantedFaults {
  readonly #faults: ReadonlySet<PlantedFault>;
  readonly #keys = new Map<PlantedFault, string>();
  readonly #seen = new Set<string>();
  readonly #answered = new Set<string>();
  readonly #lostRecords = new Set<number>();

  constructor(faults: Iterable<PlantedFault>) {
    this.#faults = new Set(faults);
  }

  has(fault: PlantedFault): boolean {
    return this.#faults.has(fault);
  }

  /** Acknowledged, and nowhere. */
  get lostRecords(): ReadonlySet<number> {
    return this.#lostRecords;
  }

  /** What to do with a request: the first ones of their keys are mistreated, those of one key all alike. */
  onRequest(key: string, records: readonly number[]): 'stored-twice' | 'lost' | 'uncommitted' | undefined {
    const fault = (['stored-twice', 'lost', 'uncommitted'] as const).find((one) => this.#isFor(one, key));
    this.#seen.add(key);
    if (fault === 'lost') for (const record of records) this.#lostRecords.add(record);
    return fault;
  }

  isAnswered(key: string): boolean {
    return this.#answered.has(key);
  }

  /** What to do with an answer of the system, 200: the second one of its key is changed, and those after it. */
  onAnswer(key: string): 'another-answer' | undefined {
    const isRepeated = this.isAnswered(key);
    this.#answered.add(key);
    const isFree = isRepeated && this.has('another-answer') && ![...this.#keys.values()].includes(key);
    if (isFree && !this.#keys.has('another-answer')) this.#keys.set('another-answer', key);
    return isRepeated && this.#keys.get('another-answer') === key ? 'another-answer' : undefined;
  }

  #isFor(fault: PlantedFault, key: string): boolean {
    const isFree = this.has(fault) && !this.#keys.has(fault) && !this.#seen.has(key);
    if (isFree && ![...this.#keys.values()].includes(key)) this.#keys.set(fault, key);
    return this.#keys.get(fault) === key;
  }
}
