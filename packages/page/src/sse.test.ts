import { expect, test } from 'vitest';
import { ServerEventReader } from './sse.ts';

test('events that come in pieces are told once they are whole; comments are not events', () => {
  const reader = new ServerEventReader();
  expect(reader.push(': connected\n\nevent: sys')).toEqual([]);
  expect(reader.push('tem\ndata: {"a":1}\n')).toEqual([]);
  expect(reader.push('\nid: 4\nevent: event\ndata: {"b":\ndata: 2}\n\n: alive\n\n')).toEqual([
    { type: 'system', data: '{"a":1}' },
    { type: 'event', data: '{"b":\n2}' },
  ]);
});

test('an event without a name is a message, and one without data is none', () => {
  expect(new ServerEventReader().push('data: x\n\nevent: nothing\n\n')).toEqual([{ type: 'message', data: 'x' }]);
});
