/** Routes that change regions (drain, undrain, weight), and the relay to a region's own gateway. */

import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { Region, type System, WeightChange } from '@causeway/protocol/admin/model.ts';
import { ASKED_BY_HEADER, formatHop } from '@causeway/protocol/routing.ts';
import httpProxy from '@fastify/http-proxy';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { buildConnector } from 'undici';
import { GatewayError } from '../errors.ts';
import type { Registry } from '../regions/registry.ts';
import { authorization, MAX_CONNECTION_AGE_MS, reasonOf } from './admin-client.ts';
import { answerError } from './answer-error.ts';
import { describeAsker } from './audit.ts';

export interface RegionRoutesOptions {
  registry: Registry;
  topology: () => System;
  /** This gateway's own token, which the regions' gateways know. */
  token: () => string | undefined;
  /** Opens connections to the regions' gateways, and verifies their certificates. */
  connect: buildConnector.connector;
}

interface OfRegion {
  Params: { region: string };
}

const ofRegion = Type.Object({ region: Type.String({ description: 'Name of a region.' }) });
/** How long a change lasts. */
const HOLDS_HEADER = 'causeway-holds';
const HOLDS = 'until the next reload of the configuration file, whose values win then';

export function addRegionRoutes(app: FastifyInstance, options: RegionRoutesOptions): void {
  const { registry, topology } = options;
  const answer = (reply: FastifyReply, region: string): Region | undefined => {
    void reply.header(HOLDS_HEADER, HOLDS);
    return topology().regions.find(({ name }) => name === region);
  };
  const setDrained = (region: string, isDrained: boolean): void => {
    assertKnown(registry, region);
    if (isDrained) registry.drain(region);
    else registry.undrain(region);
  };
  for (const word of ['drain', 'undrain'] as const) {
    const isDrained = word === 'drain';
    const summary = isDrained
      ? 'Gives a region no new work, and lets its consumers move at their next poll; until the next reload.'
      : 'Takes a drain back.';
    app.post<OfRegion>(
      `/api/regions/:region/${word}`,
      {
        schema: { operationId: word, summary, params: ofRegion, response: { 200: Region } },
        config: { errors: isDrained ? [404, 409] : [404] },
      },
      (request, reply) => {
        const { region } = request.params;
        const before = drainOf(registry, region);
        setDrained(region, isDrained);
        request.change = `drain of ${region}: ${before} → ${drainOf(registry, region)}`;
        return answer(reply, region);
      },
    );
  }
  app.put<OfRegion & { Body: WeightChange }>(
    '/api/regions/:region/weight',
    {
      schema: {
        operationId: 'setWeight',
        summary: 'Sets the weight of a region until the next reload.',
        params: ofRegion,
        body: WeightChange,
        response: { 200: Region },
      },
      config: { errors: [400, 404, 409, 415] },
    },
    (request, reply) => {
      const { region } = request.params;
      assertKnown(registry, region);
      const before = registry.weightOf(region);
      registry.setWeight(region, request.body.weight);
      request.change = `weight of ${region}: ${before} → ${registry.weightOf(region)}`;
      return answer(reply, region);
    },
  );
}

/** To a region's gateway, and from there to one more. Longer paths would be loops. */
const MAX_RELAYS = 2;

/** Returns how often a path would be relayed. */
function relayCount(target: string): number {
  const path = decodePath(target.split('?', 1)[0] ?? '');
  const relays = /^\/+api((?:\/+regions\/+[^/]+)+)\/+(?!(?:drain|undrain|weight)\/*$)/.exec(path)?.[1] ?? '';
  return relays.split(/\/+regions\/+/).length - 1;
}

/** Decodes the path like the router does. */
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new GatewayError('malformedRequest', 'The path has an invalid percent escape.');
  }
}

/** Headers that are about the connection to this gateway: its caller, the page that a browser shows, and proxies on the way. */
const OF_THIS_HOP = /^(?:authorization|cookie|origin|referer|forwarded|(?:sec-fetch|x-forwarded)-.*)$/;

function withoutThisHop(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_THIS_HOP.test(name)));
}

/** What clients of the API read. Others, such as those of CORS, would speak for this gateway's own origin. */
const OF_RESPONSES: ReadonlySet<string> = new Set([
  'cache-control',
  'content-encoding',
  'content-length',
  'content-type',
  HOLDS_HEADER,
  'retry-after',
  'x-accel-buffering',
]);

/** The region's gateway chooses the type: a browser that shows the response must run nothing of it. */
function withoutOrigin(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return {
    ...Object.fromEntries(Object.entries(headers).filter(([name]) => OF_RESPONSES.has(name))),
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
  };
}

/** What is relayed at this time. */
export interface Relays {
  /** Breaks off what is being read, such as event streams: its readers may ask again. */
  endReading(): void;
}

/** `/api/regions/{region}/…` relays to the admin API of that region's own gateway, with this gateway's token. */
export function addRelay(app: FastifyInstance, { registry, token, connect }: RegionRoutesOptions): Relays {
  const responses = new Set<ServerResponse>();
  const self = (): string => formatHop({ name: registry.config.gateway.name, region: registry.config.gateway.region });
  const urlOf = (params: unknown): string => adminUrlOf(registry, (params as { region: string }).region);
  void app.register(httpProxy, {
    upstream: '',
    // Its own connections verify no certificate.
    undici: { connect, clientTtl: MAX_CONNECTION_AGE_MS },
    prefix: '/api/regions/:region',
    rewritePrefix: '/api',
    replyOptions: {
      getUpstream: (request) => urlOf(request.params),
      rewriteRequestHeaders: (request, headers) => ({
        ...withoutThisHop(headers),
        ...authorization(token()),
        [ASKED_BY_HEADER]: describeAsker(request as FastifyRequest, self()),
      }),
      rewriteHeaders: (headers) => withoutOrigin(headers),
      onError: (reply, { error }) => {
        answerError(
          reply as FastifyReply,
          new GatewayError('regionFailed', `The region's gateway did not respond: ${reasonOf(error.cause ?? error)}.`),
        );
      },
    },
    preHandler: (request, reply, done) => {
      if (relayCount(request.url) > MAX_RELAYS) {
        throw new GatewayError(
          'loopDetected',
          `The path goes through more than ${MAX_RELAYS} regions' gateways: ask one of them itself.`,
        );
      }
      // Throws for an unknown region before anything is sent.
      urlOf(request.params);
      const { region } = request.params as { region: string };
      request.change = `relayed to the gateway of ${region}`;
      responses.add(reply.raw);
      reply.raw.once('close', () => responses.delete(reply.raw));
      done();
    },
  });
  return {
    endReading() {
      for (const response of responses) if (isReadOnly(response)) response.destroy();
    },
  };
}

/** Responses to changes stay: their clients learn the outcome. */
function isReadOnly({ req: { method } }: ServerResponse): boolean {
  return method === 'GET' || method === 'HEAD';
}

function drainOf({ snapshot }: Registry, region: string): 'on' | 'off' {
  return snapshot.regions.find(({ name }) => name === region)?.isDrained === true ? 'on' : 'off';
}

function assertKnown({ config }: Registry, region: string): void {
  if (config.regions.some(({ name }) => name === region)) return;
  const known = config.regions.map(({ name }) => name).join(', ');
  throw new GatewayError('unknownRegion', `There is no region ${region} (known: ${known}).`);
}

function adminUrlOf(registry: Registry, region: string): string {
  assertKnown(registry, region);
  const url = registry.adminUrlOf(region);
  if (url !== undefined) return url;
  throw new GatewayError('noAdminAddress', `Region ${region} has no adminUrl in this gateway's configuration.`);
}
