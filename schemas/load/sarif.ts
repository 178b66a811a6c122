import type { Json, JsonObject } from '../../controller/domain/json.ts'
import { diagnosticCodes } from '../codes.ts'
import type { Diagnostic, RelatedPlace } from '../diagnostic.ts'

/** Diagnostics as a SARIF 2.1.0 log, for code hosts and editors. `version` is the engine's. */
export function toSarif(diagnostics: readonly Diagnostic[], version: string): JsonObject {
  const used = [...new Set(diagnostics.map(({ code }) => code))].sort()
  const driver = {
    name: 'fibric',
    version,
    informationUri: 'https://fibric.io',
    rules: used.map((id) => ({ id, shortDescription: { text: explained(id) } })),
  }
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver },
        columnKind: 'utf16CodeUnits',
        results: diagnostics.map((diagnostic) => result(diagnostic, used.indexOf(diagnostic.code))),
      },
    ],
  }
}

function result(diagnostic: Diagnostic, ruleIndex: number): Json {
  const { code, severity, message, hint, path, line, column, endLine, endColumn, snippet, related } = diagnostic
  return {
    ruleId: code,
    ruleIndex,
    level: severity,
    message: { text: hint === null ? message : `${message}; ${hint}` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: artifact(path),
          region: {
            startLine: line,
            startColumn: column,
            endLine,
            endColumn: endLine === line ? Math.max(endColumn, column) : endColumn,
            ...(snippet === null ? {} : { snippet: { text: snippet } }),
          },
        },
      },
    ],
    ...(related.length === 0 ? {} : { relatedLocations: related.map(relatedLocation) }),
  }
}

function relatedLocation({ message, path, line, column }: RelatedPlace): Json {
  return {
    message: { text: message },
    physicalLocation: { artifactLocation: artifact(path), region: { startLine: line, startColumn: column } },
  }
}

function artifact(path: string): JsonObject {
  return { uri: path.split('/').map(encodeURIComponent).join('/'), uriBaseId: '%SRCROOT%' }
}

function explained(code: string): string {
  return Object.hasOwn(diagnosticCodes, code) ? diagnosticCodes[code as keyof typeof diagnosticCodes] : code
}
