/** Routes that show the system: topology, live stream, events, history and consumers. */

import type { RecordedEvent } from '@causeway/protocol/admin/events.ts';
import { EventSchema } from '@causeway/protocol/admin/events.ts';
import { ConsumerPage, ConsumerQuery, EventList, History, Sample, System } from '@causeway/protocol/admin/model.ts';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { EventLog } from '../events.ts';
import type { Consumers } from './consumers.ts';
import { EventStreams, lastEventId, type StreamMessage } from './event-stream.ts';
import type { RateHistory } from './history.ts';
import { LiveFeed } from './live.ts';
import type { RegionalGateways } from './regional-gateways.ts';

export interface SystemRoutesOptions {
  events: EventLog;
  history: RateHistory;
  regional: RegionalGateways;
  consumers: Consumers;
  topology: () => System;
}

const TopologyQuery = Type.Object(
  {
    behind: Type.Optional(
      Type.Boolean({ default: true, description: 'Whether to ask regional gateways for the targets behind them.' }),
    ),
  },
  { additionalProperties: false },
);

const EventQuery = Type.Object(
  {
    after: Type.Optional(Type.Integer({ minimum: 0, description: 'Return only events after this id. JSON only.' })),
    limit: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Return only the last events, up to this number. JSON only.' }),
    ),
  },
  { additionalProperties: false },
);

/** `x-events` has the schema of the data of each event by its name. */
const stream = (events: object) => ({ 'text/event-stream': { schema: Type.String(), 'x-events': events } });

/** The event streams of all listeners. */
export interface Streams {
  /** Their listeners may open new ones. */
  end(): void;
  close(): void;
}

export function addSystemRoutes(app: FastifyInstance, options: SystemRoutesOptions): Streams {
  const { events, history, regional, consumers, topology } = options;
  const streams = new EventStreams();
  const live = new LiveFeed({ streams, events, history, system: topology, onWatched: () => regional.watch() });

  app.get<{ Querystring: { behind: boolean } }>(
    '/api/topology',
    {
      schema: {
        operationId: 'topology',
        summary: 'The system as this gateway sees it.',
        querystring: TopologyQuery,
        response: { 200: System },
      },
    },
    async ({ query: { behind } }) => {
      if (behind) await regional.refresh();
      return topology();
    },
  );
  app.get('/api/live', {
    schema: {
      operationId: 'live',
      summary:
        'Server-sent events: `system` (the topology) at once, each second and after each flip; `event`, continued after Last-Event-ID; `sample`, the rates of one step of the history.',
      response: {
        200: { description: 'A stream.', content: stream({ system: System, event: EventSchema, sample: Sample }) },
      },
    },
    config: { errors: [503] },
    handler: (request, reply) => live.open(request, reply),
  });
  app.get('/api/history', {
    schema: {
      operationId: 'history',
      summary: 'Rates of the last 15 minutes, by region.',
      response: { 200: History },
    },
    handler: () => history.columns,
  });
  app.get<{ Querystring: ConsumerQuery }>('/api/consumers', {
    schema: {
      operationId: 'consumers',
      summary: 'Consumers and their owners, as the bridges report them; at most a second old.',
      querystring: ConsumerQuery,
      response: { 200: ConsumerPage },
    },
    config: { errors: [400] },
    handler: ({ query }) => consumers.list(query),
  });
  app.get<{ Querystring: { after?: number; limit?: number } }>('/api/events', {
    schema: {
      operationId: 'events',
      summary:
        'Changes, as server-sent events that continue after Last-Event-ID, or as JSON if `Accept` asks for application/json.',
      querystring: EventQuery,
      response: {
        200: {
          description: 'Events.',
          content: { 'application/json': { schema: EventList }, ...stream({ '*': EventSchema }) },
        },
      },
    },
    config: { errors: [503] },
    handler: (request, reply) => {
      if (request.headers.accept?.includes('application/json') === true) {
        const { after = 0, limit = Number.POSITIVE_INFINITY } = request.query;
        const recent = events.recent(after);
        return reply.send({ events: recent.slice(Math.max(0, recent.length - limit)) });
      }
      const stream = streams.open(reply, () => unfollow());
      const unfollow = events.follow((event) => stream.send(messageOf(event)));
      stream.send(...events.recent(lastEventId(request)).map(messageOf));
      return reply;
    },
  });
  return {
    end: () => streams.end(),
    close() {
      live.close();
      streams.end();
    },
  };
}

function messageOf(event: RecordedEvent): StreamMessage {
  return { event: event.type, json: JSON.stringify(event), id: event.id };
}
