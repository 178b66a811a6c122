import { stringify } from 'yaml'

/** A value as YAML that reads back equal: block style, long text as literal blocks, nothing folded. */
export function yamlText(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, blockQuote: 'literal', nullStr: 'null' })
}

export function yamlDocuments(values: readonly unknown[]): string {
  return values.map(yamlText).join('---\n')
}
