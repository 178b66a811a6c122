import type { Explanation, FieldSummary, KindInfo, KindScope } from '../../schemas/index.ts'
import { alignColumns, wrapText } from './columns.ts'
import type { Paint } from './paint.ts'

const scopes: { readonly [scope in KindScope]: string } = {
  P: 'only in tenants/_platform',
  T: "only in a tenant's folder",
  B: "in tenants/_platform and in tenants' folders",
}

const notInEffect = 'stored, not yet in effect'

export function renderKinds(kinds: readonly KindInfo[], color: Paint): string {
  const rows = kinds.map(({ kind, scope, description, runtime }) => [
    color.bold(kind),
    scope,
    runtime === 'stored' ? `${description} ${color.dim(`(${notInEffect})`)}` : description,
  ])
  const legend = color.dim('P only in _platform · T only in a tenant · B both. See: fibric explain KIND')
  return `${alignColumns(rows).join('\n')}\n\n${legend}\n`
}

export function renderExplanation(explanation: Explanation, color: Paint): string {
  const { path, kind, type, description, required, authority, values, references, expression, fields } = explanation
  const whole = path === kind.kind
  const facts: [string, string][] = [['type', type]]
  if (whole) facts.push(['where', scopes[kind.scope]], ['get', `fibric get ${kind.plural}`])
  if (whole && kind.versioned)
    facts.push(['address', `<tenant>/${kind.kind}/<name>@<version>, never changed once applied`])
  if (whole && kind.inherited) facts.push(['sandbox', 'inherits it from its tenant'])
  if (!whole) facts.push(['required', required ? 'yes' : 'no'])
  if (explanation.default !== undefined) facts.push(['default', JSON.stringify(explanation.default)])
  if (values !== null) facts.push(['one of', values.join(', ')])
  if (references.length > 0)
    facts.push(['names', `a ${references.join(' or a ')}, in the own domain first, then _platform`])
  if (expression) facts.push(['expression', expressionText(expression)])
  if (authority !== null) facts.push(['authority', authorityText(authority)])
  if (kind.runtime === 'stored') facts.push(['status', notInEffect])
  const parts = [
    color.bold(path),
    ...wrapText(`${description.replace(/\.$/, '')}.`, 100).map((line) => `  ${line}`),
    '',
    ...alignColumns(facts.map(([name, value]) => [color.dim(`  ${name}`), value])),
  ]
  if (fields.length > 0) parts.push('', color.bold('fields'), ...fields.flatMap((field) => fieldLines(field, color)))
  if (fields.length > 0) parts.push('', color.dim(`see: fibric explain ${path}.${fields.at(-1)!.name}`))
  return `${parts.join('\n')}\n`
}

export function kindsJson(kinds: readonly KindInfo[]) {
  const data = kinds.map(({ kind, plural, description, scope, versioned, shared, inherited, runtime }) => ({
    ...{ object: 'kind', kind, plural, description, scope, versioned, shared, inherited, runtime },
  }))
  return { object: 'list', data, has_more: false, next_cursor: null }
}

export function explanationJson(explanation: Explanation) {
  const { path, kind, type, description, required, values, authority, references, expression, fields } = explanation
  return {
    object: 'explanation',
    ...{ path, kind: kind.kind, scope: kind.scope, runtime: kind.runtime, versioned: kind.versioned },
    ...{ type, description, required },
    ...(explanation.default === undefined ? {} : { default: explanation.default }),
    ...{ values, authority, references, expression },
    fields: fields.map(({ name, type, description, required, default: preset }) => ({
      ...{ name, type, description, required },
      ...(preset === undefined ? {} : { default: preset }),
    })),
  }
}

function fieldLines({ name, type, description, required, default: preset }: FieldSummary, color: Paint): string[] {
  const marks = [
    ...(required ? [color.yellow('required')] : []),
    ...(preset === undefined ? [] : [color.dim(`default ${JSON.stringify(preset)}`)]),
  ]
  const head = [`  ${color.cyan(name)}`, color.dim(`<${type}>`), ...marks].join(' ')
  return [head, ...wrapText(description, 96).map((line) => `      ${line}`)]
}

function authorityText(authority: NonNullable<Explanation['authority']>): string {
  switch (authority) {
    case 'grants':
      return 'grants: more of it widens what may be done'
    case 'limits':
      return 'limits: more of it narrows what may be done'
    case 'none':
      return 'none: it says nothing about what may be done'
  }
}

function expressionText({ form, scope, result }: NonNullable<Explanation['expression']>): string {
  const shape = form === 'cel' ? 'one CEL expression' : 'text with ${…} in it'
  return `${shape}${result === 'any' ? '' : `, a ${result}`} (scope ${scope})`
}
