import { isJsonObject, type Json, type JsonObject } from '../../controller/domain/json.ts'
import { below } from '../problem.ts'
import type { Claims, FactPlace, Placed, SettingsFact } from './facts.ts'

type PlaceOf = (pointer: string, target: 'key' | 'value') => FactPlace

/** What a document says that other documents are judged by; it may have errors of its own. */
export function claimsOf(kind: string, spec: JsonObject, placeOf: PlaceOf): Claims {
  const read = readers[kind]
  return read ? read(spec, placeOf) : { of: 'nothing' }
}

const readers: { readonly [kind: string]: (spec: JsonObject, placeOf: PlaceOf) => Claims } = {
  Tenant: (spec, placeOf) => ({
    of: 'tenant',
    environment: text(spec.environment) ?? 'production',
    sandboxOf: placedText(spec, 'sandboxOf', placeOf),
    sandboxes: texts(spec.sandboxes),
    hosts: placedTexts(spec, 'hosts', placeOf).map((host) => ({ ...host, value: host.value.toLowerCase() })),
  }),
  User: (spec, placeOf) => ({
    of: 'user',
    identities: [
      ...placedTexts(spec, 'emails', placeOf).map((email) => ({ ...email, value: email.value.toLowerCase() })),
      // What follows the key itself is a comment.
      ...placedTexts(spec, 'signingKeys', placeOf).map((key) => ({
        ...key,
        value: key.value.trim().split(/\s+/).slice(0, 2).join(' '),
      })),
      ...oidcSubject(spec, placeOf),
    ],
  }),
  Deployment: (spec, placeOf) => ({
    of: 'deployment',
    mcpCommands: texts(spec.mcpCommands),
    hostDomains: texts(spec.hostDomains).map((domain) => domain.toLowerCase()),
    domains: list(spec.hostDomains).flatMap((domain, index) =>
      isJsonObject(domain) && typeof domain.domain === 'string'
        ? [{ value: domain.domain.toLowerCase(), place: placeOf(`/spec/hostDomains/${index}/domain`, 'value') }]
        : [],
    ),
  }),
  Connector: (spec, placeOf) => ({
    of: 'connector',
    tools: eachField(spec.tools, (tool) => tool.output ?? null),
    events: eachField(spec.events, (event) => event.schema ?? null),
    configSchema: spec.config ?? null,
    mcpCommand: mcpCommand(spec, placeOf),
  }),
  Connection: (spec, placeOf) => ({
    of: 'connection',
    connector: text(spec.connector) ?? '',
    bindings: isJsonObject(spec.bindings) ? (spec.bindings as { [capability: string]: boolean }) : {},
    sandboxed: spec.transport === 'sandbox' || isJsonObject(spec.transport),
    transport: placeOf('/spec/transport', 'value'),
    settings: settingsFact(spec, 'config', placeOf),
    bound: isJsonObject(spec.bindings)
      ? Object.keys(spec.bindings).map((value) => ({ value, place: placeOf(below('/spec/bindings', value), 'key') }))
      : [],
  }),
  Template: (spec) => ({ of: 'template', parametersSchema: spec.parameters ?? null }),
  TemplateInstall: (spec, placeOf) => ({
    of: 'template install',
    template: text(spec.template) ?? '',
    settings: settingsFact(spec, 'parameters', placeOf),
  }),
  Skill: (spec) => ({ of: 'skill', capability: text(spec.capability) ?? '' }),
  Operator: (spec, placeOf) => ({
    of: 'operator',
    on: isJsonObject(spec.trigger) ? texts(spec.trigger.on) : [],
    capabilities: placedTexts(spec, 'capabilities', placeOf),
    senses: list(spec.sense).map((sense) => {
      const { as, capability } = isJsonObject(sense) ? sense : {}
      return { as: text(as) ?? '', capability: text(capability) ?? '' }
    }),
  }),
  Model: (spec) => ({ of: 'model', provider: text(spec.provider) ?? '' }),
  ModelPolicy: (spec, placeOf) => ({
    of: 'model policy',
    models: [
      ...(typeof spec.default === 'string' ? [{ value: spec.default, place: placeOf('/spec/default', 'value') }] : []),
      ...namedTexts(spec, 'aliases', placeOf).map(([, model]) => model),
      ...placedTexts(spec, 'fallbacks', placeOf),
    ],
    perTenant: namedTexts(spec, 'perTenant', placeOf),
  }),
}

function text(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null
}

function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : []
}

function texts(value: Json | undefined): string[] {
  return list(value).filter((item) => typeof item === 'string')
}

function placedText(spec: JsonObject, field: string, placeOf: PlaceOf): Placed | null {
  const value = spec[field]
  return typeof value === 'string' ? { value, place: placeOf(`/spec/${field}`, 'value') } : null
}

function placedTexts(spec: JsonObject, field: string, placeOf: PlaceOf): Placed[] {
  return texts(spec[field]).map((value, index) => ({ value, place: placeOf(`/spec/${field}/${index}`, 'value') }))
}

function namedTexts(spec: JsonObject, field: string, placeOf: PlaceOf): [string, Placed][] {
  const object = spec[field]
  if (!isJsonObject(object)) return []
  return Object.entries(object).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, { value, place: placeOf(below(`/spec/${field}`, name), 'value') }]] : [],
  )
}

function eachField(object: Json | undefined, read: (field: JsonObject) => Json): { [name: string]: Json } {
  if (!isJsonObject(object)) return {}
  return Object.fromEntries(
    Object.entries(object).map(([name, field]) => [name, isJsonObject(field) ? read(field) : null]),
  )
}

function oidcSubject(spec: JsonObject, placeOf: PlaceOf): Placed[] {
  if (!isJsonObject(spec.oidc) || typeof spec.oidc.subject !== 'string') return []
  return [{ value: `${spec.oidc.issuer} ${spec.oidc.subject}`, place: placeOf('/spec/oidc/subject', 'value') }]
}

function settingsFact(spec: JsonObject, field: string, placeOf: PlaceOf): SettingsFact {
  const value = isJsonObject(spec[field]) ? spec[field] : {}
  const places = Object.keys(value).map((name) => [name, placeOf(below(`/spec/${field}`, name), 'value')])
  return { value, place: placeOf(`/spec/${field}`, 'key'), fields: Object.fromEntries(places) }
}

function mcpCommand(spec: JsonObject, placeOf: PlaceOf): Placed | null {
  const command = isJsonObject(spec.mcp) ? list(spec.mcp.command)[0] : undefined
  return typeof command === 'string' ? { value: command, place: placeOf('/spec/mcp/command/0', 'value') } : null
}
