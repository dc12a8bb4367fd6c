/** The proxies that the benchmark compares: how each is configured and started, for each protocol. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { CertifiedKey, TestAuthority } from '../harness/certificates.ts';
import type { BenchIdentity, IdentityKind } from './identity.ts';
import { hasCommand } from './load.ts';

/** What clients speak with the proxy; `mutual-tls`: they speak plain HTTP/1.1, and the proxy TLS with the upstream. */
export type Protocol = 'http1' | 'tls' | 'h2c' | 'h2' | 'mutual-tls';

export interface Certificates {
  authority: TestAuthority;
  /** For every server. */
  server: CertifiedKey;
  /** For proxies whose upstream requires one. */
  client: CertifiedKey;
}

export interface Place {
  protocol: Protocol;
  port: number;
  /** For the gateway. */
  adminPort: number;
  upstreamPort: number;
  /** For its configuration file. */
  directory: string;
  certificates: Certificates;
  /** Connections of the load. */
  connectionCount: number;
  identity: BenchIdentity;
}

export interface Command {
  command: string;
  args: string[];
}

const program = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const isOverTls = (protocol: Protocol): boolean => protocol === 'tls' || protocol === 'h2';

/** A bare Node server of `protocol`, which responds by itself. */
export function bareNode({ protocol, port, certificates: { server, authority } }: Place): Command {
  return {
    command: process.execPath,
    args: [program('./upstream.ts'), String(port), protocol, server.certFile, server.keyFile, authority.certFile],
  };
}

/** `kind`: it authenticates clients. */
export function gatewayWith(kind: IdentityKind): (place: Place) => Command {
  return (place) => gateway(place, place.identity.sections[kind]);
}

export function gateway(
  { protocol, port, adminPort, upstreamPort, directory, certificates }: Place,
  sections: object = {},
): Command {
  const file = join(directory, `gateway-${port}.yaml`);
  const { server, client, authority } = certificates;
  const scheme = protocol === 'mutual-tls' ? 'https' : 'http';
  const config = {
    listen: {
      port,
      ...(isOverTls(protocol) ? { tls: { certFile: server.certFile, keyFile: server.keyFile } } : {}),
      ...(protocol === 'h2' || protocol === 'h2c' ? { http2: { isEnabled: true } } : {}),
    },
    admin: { port: adminPort },
    healthCheck: { path: '/topics' },
    ...(protocol === 'mutual-tls'
      ? { upstream: { tls: { caFile: authority.certFile, certFile: client.certFile, keyFile: client.keyFile } } }
      : {}),
    ...sections,
    regions: [{ name: 'east', targets: [{ url: `${scheme}://127.0.0.1:${upstreamPort}` }] }],
  };
  writeFileSync(file, stringify(config));
  return { command: process.execPath, args: [program('../../packages/gateway/src/main.ts'), '--config', file] };
}

export function httpProxy({ port, upstreamPort }: Place): Command {
  return {
    command: process.execPath,
    args: [program('./http-proxy.ts'), String(port), `http://127.0.0.1:${upstreamPort}`],
  };
}

export const hasNginx = (): boolean => hasCommand('nginx', ['-v']);
export const hasHaproxy = (): boolean => hasCommand('haproxy', ['-v']);

/** One worker, which is the process itself. */
export function nginx({ protocol, port, upstreamPort, directory, certificates, connectionCount }: Place): Command {
  const file = join(directory, `nginx-${port}.conf`);
  const { server, client, authority } = certificates;
  const listen = { http1: '', tls: ' ssl', h2: ' ssl http2', h2c: ' http2', 'mutual-tls': '' }[protocol];
  const tls = `ssl_certificate ${server.certFile}; ssl_certificate_key ${server.keyFile}; ssl_protocols TLSv1.2 TLSv1.3;`;
  const upstreamTls = `proxy_ssl_certificate ${client.certFile}; proxy_ssl_certificate_key ${client.keyFile};
    proxy_ssl_trusted_certificate ${authority.certFile}; proxy_ssl_verify on; proxy_ssl_name localhost;
    proxy_ssl_protocols TLSv1.2 TLSv1.3;`;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${join(directory, `nginx-${port}-${name}`)};`)
    .join(' ');
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${directory}/nginx-${port}.pid; error_log stderr;
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary}
  upstream east { server 127.0.0.1:${upstreamPort}; keepalive ${connectionCount}; }
  server {
    listen 127.0.0.1:${port}${listen};
    ${isOverTls(protocol) ? tls : ''}
    keepalive_requests 100000000;
    location / {
      proxy_pass ${protocol === 'mutual-tls' ? 'https' : 'http'}://east;
      proxy_http_version 1.1; proxy_set_header Connection "";
      ${protocol === 'mutual-tls' ? upstreamTls : ''}
    }
  }
}
`,
  );
  return { command: 'nginx', args: ['-c', file] };
}

/** One thread. */
export function haproxy({ port, upstreamPort, directory }: Place): Command {
  const file = join(directory, `haproxy-${port}.cfg`);
  writeFileSync(
    file,
    `global
  nbthread 1
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
  http-reuse always
frontend clients
  bind 127.0.0.1:${port}
  default_backend east
backend east
  server east 127.0.0.1:${upstreamPort}
`,
  );
  return { command: 'haproxy', args: ['-f', file, '-db'] };
}
