import { expect, test } from 'vitest';
import { masked } from './masked.ts';
import { Entry, Type } from './schema.ts';

const schema = Entry(
  {
    token: Type.Optional(Type.String({ writeOnly: true })),
    headers: Type.Optional(Type.Record(Type.String(), Type.String(), { writeOnly: true })),
    list: Type.Optional(Type.Array(Entry({ password: Type.String({ writeOnly: true }) }, { description: '' }))),
    url: Type.Optional(Type.String()),
  },
  { description: '' },
);

test.each<[unknown, unknown]>([
  [{ token: 'secret' }, { token: '********' }],
  [{ token: '' }, { token: '' }],
  [{ headers: { authorization: 'secret' } }, { headers: { authorization: '********' } }],
  [{ list: [{ password: 'secret' }] }, { list: [{ password: '********' }] }],
  [{ url: 'http://user:secret@host:1/' }, { url: 'http://********@host:1/' }],
  [{ url: 'http://host:1/a@b' }, { url: 'http://host:1/a@b' }],
])('of %j is shown %j', (config, shown) => {
  expect(masked(schema, config)).toEqual(shown);
});
