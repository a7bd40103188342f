import { beforeAll, describe, expect, it } from 'vitest';
import type { FastifyInstance } from 'fastify';
import type { Description } from './openapi.ts';
import type { Route } from './route.ts';
import { ServedApi } from './served-api.ts';
import { urlOf } from './server.ts';

let routes: readonly Route[];
let api: FastifyInstance;
beforeAll(() => {
  const all = new ServedApi();
  ({ routes, web: api } = all);
  return () => all.close();
});
const own = { host: '192.168.1.1' };
const get = (url: string) => api.inject({ url, headers: own });
const served = async (): Promise<Description> => (await get('/api/v1/openapi.json')).json<Description>();

describe('the description of the API', () => {
  it('is served, and has the routes that are served, no more and no less', async () => {
    const { openapi, paths } = await served();
    expect(openapi).toBe('3.1.1');
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const registered = routes.map((one) => `${one.method} ${urlOf(one).replaceAll(/:(\w+)/g, '{$1}')}`);
    expect(described.toSorted()).toEqual(registered.toSorted());
    for (const one of routes)
      expect(api.hasRoute({ method: one.method, url: urlOf(one) }), one.path).toBe(true);
  });

  it('names permission, parameters and an own operation of each', async () => {
    const { paths } = await served();
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.values(methods).map((one) => ({ path, ...one })),
    );
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { path, parameters, ...operation } of operations) {
      expect(['anybody', 'read', 'full', 'socket']).toContain(operation['x-permission']);
      const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const told = parameters.filter((one) => one.in === 'path').map((one) => one.name);
      expect(told, path).toEqual(named);
    }
  });

  it('refers only to schemas that it has', async () => {
    const description = await served();
    const { schemas } = description.components;
    const references = [...JSON.stringify(description).matchAll(/"\$ref":"([^"]+)"/g)].map((one) => one[1]!);
    expect(references.length).toBeGreaterThan(10);
    for (const reference of references)
      expect(schemas, reference).toHaveProperty([reference.replace('#/components/schemas/', '')]);
  });

  it('can be read as a page that loads nothing from elsewhere', async () => {
    const page = await get('/api/v1/reference');
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    for (const one of routes)
      expect(page.body).toContain(
        `<span class="method">${one.method}</span> ${urlOf(one).replaceAll(/:(\w+)/g, '{$1}')}<`,
      );
    expect(page.body).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(page.body).not.toMatch(/<script|style=/);
    expect((await get('/api/v1/reference.css')).headers['content-type']).toContain('text/css');
  });
});
