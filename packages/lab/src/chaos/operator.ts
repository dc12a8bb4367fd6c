/** Executes the actions of a scenario on a running stack. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { request } from 'undici';
import { LabError } from '../errors.ts';
import { presentedSerial } from '../secure/presented-certificate.ts';
import type { RegionNetwork } from '../stack/region-network.ts';
import { REGION_NAMES, type RegionName } from '../stack/regions.ts';
import type { Service } from '../stack/service.ts';
import type { Stack } from '../stack/stack.ts';
import { firstLaneOf, transactionCoordinator } from './coordinator.ts';
import type { Action, ServiceName } from './scenario.ts';

/** An orderly stop may wait for polls and their commits. */
const STOP_GRACE_MS = 20_000;
const WELL_TIMEOUT_MS = 30_000;
const WELL_POLL_MS = 50;

export class Operator {
  readonly #stack: Stack;
  readonly #network: RegionNetwork | undefined;
  /** The YAML of the tier-1 gateways: the stack's own copy of the demo's. */
  readonly #yamlFile: string;
  readonly #goodYaml: string;
  #killedCoordinator: number | undefined;

  /** `stack` must have its own YAML, because weights are edited. `network`: that of east, if it has one. */
  constructor(stack: Stack, network: RegionNetwork | undefined) {
    this.#stack = stack;
    this.#network = network;
    this.#yamlFile = join(stack.configDirectory, 'tier1.yaml');
    this.#goodYaml = readFileSync(this.#yamlFile, 'utf8');
  }

  /** Errors: `startFailed` for a missing service or a failed start, `startTimedOut`. */
  async perform(action: Action): Promise<void> {
    const stack = this.#stack;
    switch (action.kind) {
      case 'kill':
        return this.#service(action.service).kill();
      case 'stop':
        return this.#service(action.service).stop(STOP_GRACE_MS);
      case 'start':
        return this.#service(action.service).start();
      case 'freeze':
        return this.#service(action.service).freeze();
      case 'thaw':
        return this.#service(action.service).thaw();
      case 'killRegion':
        return stack.killRegion(action.region);
      case 'restoreRegion':
        return stack.restoreRegion(action.region);
      case 'drain':
      case 'undrain':
        return this.#askTier1s(`/api/regions/${action.region}/${action.kind}`);
      case 'setWeights':
        return writeFileSync(this.#yamlFile, withWeights(this.#goodYaml, action.weights));
      case 'breakYaml':
        return writeFileSync(this.#yamlFile, `${this.#goodYaml}\n  broken: [`);
      case 'mendYaml':
        return writeFileSync(this.#yamlFile, this.#goodYaml);
      case 'renewCertificates':
        return this.#renewCertificates();
      case 'killBroker':
        return stack.kafka.killBroker(action.broker);
      case 'restartBroker':
        return stack.kafka.restartBroker(action.broker);
      case 'killCoordinator':
        return this.#killCoordinator(action.region);
      case 'restartCoordinator':
        return this.#restartCoordinator();
      case 'cut':
        return this.#network?.cut(action.link);
      case 'heal':
        return this.#network?.heal(action.link);
      case 'awaitWell':
        return this.awaitWell();
      default:
        return assertNever(action);
    }
  }

  /** Until no gateway sees a region down. Errors: `startTimedOut`. */
  async awaitWell(): Promise<void> {
    const admins = [...this.#stack.tier1s, ...REGION_NAMES.map((name) => this.#stack.regions[name].gateway)].map(
      ({ admin }) => admin,
    );
    const deadlineMs = performance.now() + WELL_TIMEOUT_MS;
    while (!(await Promise.all(admins.map((admin) => this.#seesNoneDown(admin)))).every(Boolean)) {
      if (performance.now() > deadlineMs) throw new LabError('startTimedOut', 'A gateway sees a region down.');
      await delay(WELL_POLL_MS);
    }
  }

  async #renewCertificates(): Promise<void> {
    const { credentials, services } = this.#stack;
    if (credentials === undefined) throw new LabError('badArguments', 'A plain system has no certificates.');
    const urls = services.flatMap((service) =>
      'admin' in service ? [service.url, String(service.admin)] : [service.url],
    );
    const serials = (): Promise<string[]> => Promise.all(urls.map((url) => presentedSerial(url, credentials.lab)));
    const before = await serials();
    await credentials.renew();
    const deadlineMs = performance.now() + WELL_TIMEOUT_MS;
    while ((await serials()).some((serial, index) => serial === before[index])) {
      if (performance.now() > deadlineMs)
        throw new LabError('startTimedOut', 'Not every listener uses its new certificate.');
      await delay(WELL_POLL_MS);
    }
  }

  async #killCoordinator(region: RegionName): Promise<void> {
    const { kafka } = this.#stack;
    const broker = await transactionCoordinator(kafka.access, firstLaneOf(region));
    this.#killedCoordinator = broker;
    await kafka.killBroker(broker);
  }

  async #restartCoordinator(): Promise<void> {
    if (this.#killedCoordinator === undefined) throw new LabError('startFailed', 'No coordinator was killed.');
    await this.#stack.kafka.restartBroker(this.#killedCoordinator);
    this.#killedCoordinator = undefined;
  }

  #service(name: ServiceName): Service {
    const service = this.#stack.services.find((candidate) => candidate.name === name);
    if (service === undefined) throw new LabError('startFailed', `The stack has no ${name}.`);
    return service;
  }

  async #askTier1s(path: string): Promise<void> {
    for (const { name, admin } of this.#stack.tier1s) {
      const { statusCode, body } = await request(`${admin}${path}`, {
        dispatcher: this.#stack.agent,
        method: 'POST',
        headers: this.#authorization,
      });
      await body.dump();
      if (statusCode !== 200) throw new LabError('startFailed', `POST ${path} of the ${name}: status ${statusCode}.`);
    }
  }

  async #seesNoneDown(admin: string): Promise<boolean> {
    try {
      const { body } = await request(`${admin}/api/topology`, {
        dispatcher: this.#stack.agent,
        headers: this.#authorization,
      });
      const { regions } = (await body.json()) as { regions: { state: string }[] };
      // `degraded`: its breaker waits for a trial request, and a gateway that prefers its own region may have none for it.
      return regions.every(({ state }) => state === 'up' || state === 'degraded');
    } catch {
      return false;
    }
  }

  /** In their own networks, gateways listen beyond loopback, and require the token for reading, too. */
  get #authorization(): Record<string, string> {
    return { authorization: `Bearer ${this.#stack.adminToken}` };
  }
}

function withWeights(yaml: string, weights: Readonly<Record<RegionName, number>>): string {
  return yaml.replaceAll(/- name: (east|west)\n( +)weight: \d+/g, (_, name: RegionName, indent: string) => {
    return `- name: ${name}\n${indent}weight: ${weights[name]}`;
  });
}
