import { yamlDocuments, yamlText } from '../../schemas/write-yaml.ts'

export function renderYaml(value: unknown): string {
  return yamlText(value)
}

export function renderYamlDocuments(values: readonly unknown[]): string {
  return values.length === 0 ? 'Nothing is applied.' : yamlDocuments(values)
}
