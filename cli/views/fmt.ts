import type { FormatReport } from '../format/format-repository.ts'
import { counted } from './validate.ts'

/** The files concerned, one a line, and how many of how many. */
export function renderFormat({ changed, files, refused }: FormatReport, check: boolean): string {
  const verb = check ? 'would be formatted' : 'formatted'
  const left = new Set(refused.map(({ path }) => path)).size
  const remark = left > 0 ? `, ${counted(left, 'file')} left as found` : ''
  return [...changed, `${changed.length} of ${counted(files, 'file')} ${verb}${remark}`].join('\n')
}

export function formatJson({ changed, files, refused }: FormatReport, check: boolean) {
  return { object: 'format', check, files, changed, diagnostics: refused }
}
