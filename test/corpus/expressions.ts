import { type CorpusRow, platform, spec } from './row.ts'

const operator = (name: string, when: string, more = '') =>
  spec(name, 'Operator', `  trigger: {on: [order.created]}\n  capabilities: [config.role.create]\n${more}  reason:\n    rules:\n      - when: ${when}\n        propose: [{capability: config.role.create}]\n`)
const proposing = (name: string, proposal: string) =>
  spec(name, 'Operator', `  trigger: {on: [order.created]}\n  capabilities: [config.role.create]\n  reason:\n    rules:\n      - when: "true"\n        propose: [{capability: config.role.create, ${proposal}}]\n`)
const policy = (name: string, when: string) =>
  spec(name, 'TrustPolicy', `  rules:\n    - id: a\n      decision: ALLOW\n      match:\n        when: ${when}\n`)
const connector = (name: string, tool: string) =>
  platform(name, 'Connector', `  version: 1.0.0\n  auth: {kind: none}\n  runtime: http\n  http: {baseUrl: "https://example.com"}\n  config: {type: object, properties: {shop: {type: string}}}\n  tools:\n    order.hold:\n      tier: 2\n      input: {type: object, properties: {id: {type: string}, amount: {type: number}}, additionalProperties: false}\n      output: {type: object, properties: {status: {type: string}}}\n${tool}`)
const http = '      http: {method: POST, path: /a}\n'

/** Expressions, checked with the names and types that are in scope where they stand. */
export const expressionRows: readonly CorpusRow[] = [
  operator('an expression that does not parse', '"event.payload.total >⟦EXPRESSION_INVALID⟧"'),
  operator('an unknown name', '"⟦EXPRESSION_INVALID⟧evnt.payload.total > 1.0"'),
  operator('an unknown field of the event', '"event.⟦EXPRESSION_INVALID⟧paylod.total > 1.0"'),
  operator('a condition that is a number', '"⟦EXPRESSION_INVALID⟧1 + 1"'),
  operator('a condition that is a text', "\"⟦EXPRESSION_INVALID⟧'yes'\""),
  operator('an unknown function', '"⟦EXPRESSION_INVALID⟧system(\'id\')"'),
  operator('the regular expressions of JavaScript', '"⟦EXPRESSION_INVALID⟧event.source.matches(\'(a+)+$\')"'),
  operator('a text compared with a number', '"⟦EXPRESSION_INVALID⟧event.source > 5"'),
  operator('an expression that is too long', `"⟦EXPRESSION_INVALID⟧${'true || '.repeat(700)}true"`),
  operator('an unquoted negation', '⟦UNKNOWN_TAG⟧!event.payload.paid'),
  operator('an unquoted expression with a comment', '⟦UNQUOTED_EXPRESSION⟧event.payload.total > 1.0 # big'),
  operator('an unquoted expression that is a map', '⟦UNQUOTED_EXPRESSION⟧{event.payload.total}'),
  operator('a name of a later sense', '"order.total > 1.0"', '  sense:\n    - {as: first, capability: config.role.create, args: {id: "${⟦EXPRESSION_INVALID⟧order.id}"}}\n    - {as: order, capability: config.role.create}\n'),
  proposing('a template that is never closed', 'key: ⟦EXPRESSION_INVALID⟧"${event.source"'),
  proposing('an empty template expression', 'key: ⟦EXPRESSION_INVALID⟧"${}"'),
  proposing('an unknown name in a template', 'key: "a:${⟦EXPRESSION_INVALID⟧evnt.source}"'),
  proposing('a value that is a text', 'value: "${⟦EXPRESSION_INVALID⟧event.source}"'),
  proposing('an unknown name deep in the arguments', 'args: {a: [{b: "${⟦EXPRESSION_INVALID⟧order.id}"}]}'),
  policy('a policy that names the payload', '"⟦EXPRESSION_INVALID⟧payload.total > 1.0"'),
  policy('a policy with a misspelled field', '"action.⟦EXPRESSION_INVALID⟧capabilty == \'a\'"'),
  policy('a policy condition that is a text', '"⟦EXPRESSION_INVALID⟧action.capability"'),
  policy('an unquoted policy condition with a comment', '⟦UNQUOTED_EXPRESSION⟧action.tier < 2 # low'),
  connector('a path with an unknown argument', '      http: {method: POST, path: "/orders/${args.⟦EXPRESSION_INVALID⟧order_id}"}\n'),
  connector('a header with unknown configuration', '      http: {method: POST, path: /a, headers: {X-Shop: "${config.⟦EXPRESSION_INVALID⟧store}"}}\n'),
  connector('a tool that names the event', `      entityKey: "order:\${⟦EXPRESSION_INVALID⟧event.payload.id}"\n${http}`),
  connector('a value that is not a number', `      value: "\${⟦EXPRESSION_INVALID⟧args.id}"\n${http}`),
  connector('an outcome that is not boolean', `      outcome: {applied: "⟦EXPRESSION_INVALID⟧'ok'"}\n${http}`),
  connector('an undo that names an unknown result', `      undo: {tool: order.hold, args: {id: "\${result.⟦EXPRESSION_INVALID⟧state}"}}\n${http}`),
  connector('an undo with an unknown tool', `      undo: {tool: ⟦UNKNOWN_TOOL⟧order.release}\n${http}`),
  spec('a schedule that names an event', 'Schedule', '  every: 1h\n  emit: {eventType: a.b, payload: {a: "${⟦EXPRESSION_INVALID⟧event.id}"}}\n'),
  spec('an expression over two lines', 'Operator', '  trigger: {on: [a.b]}\n  capabilities: [config.role.create]\n  reason:\n    rules:\n      - when: ⟦EXPRESSION_INVALID⟧|\n          event.source == "a" &&\n          evnt.x\n        propose: [{capability: config.role.create}]\n'),
]
