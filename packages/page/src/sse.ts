/** Reads server-sent events (WHATWG HTML §9.2) out of text that comes in pieces. */

export interface ServerEvent {
  type: string;
  data: string;
}

/** As far as the gateway uses them: `event` and `data` fields and comments, lines that end in LF. */
export class ServerEventReader {
  #pending = '';

  push(text: string): ServerEvent[] {
    const blocks = (this.#pending + text).split('\n\n');
    this.#pending = blocks.pop() ?? '';
    return blocks.flatMap(readBlock);
  }
}

function readBlock(block: string): ServerEvent[] {
  let type = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, field, value = ''] = /^([^:]+)(?:: ?(.*))?$/.exec(line) ?? [];
    if (field === 'event') type = value;
    else if (field === 'data') data.push(value);
  }
  return data.length === 0 ? [] : [{ type, data: data.join('\n') }];
}
