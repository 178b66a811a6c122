import { diffFields } from '../../controller/domain/field-diff.ts'
import type { Difference } from '../compare-revisions.ts'
import { changedFieldsText } from './fields.ts'
import type { Paint } from './paint.ts'

export function renderComparison(differences: readonly Difference[], color: Paint): string {
  const blocks = differences.map((difference) => renderDifference(difference, color))
  const count = (change: Difference['change']) => differences.filter((each) => each.change === change).length
  const counts = `${count('added')} added, ${count('changed')} changed, ${count('removed')} removed.`
  return `${[...blocks, counts].join('\n\n')}\n`
}

export function comparisonJson(from: string, to: string, differences: readonly Difference[]) {
  return {
    object: 'configuration_diff',
    from,
    to,
    changes: differences.map(({ address, change, renamedFrom, before, after }) => ({
      ...{ address, change, renamed_from: renamedFrom },
      fields: diffFields(before, after).map(({ path, before: old = null, after: now = null }) => ({
        ...{ path, before: old, after: now },
      })),
    })),
  }
}

function renderDifference({ address, change, renamedFrom, before, after }: Difference, color: Paint): string {
  switch (change) {
    case 'added':
      return `${color.green('+')} ${color.bold(address)}`
    case 'removed':
      return `${color.red('-')} ${color.bold(address)}`
    case 'changed': {
      const was = renamedFrom === null ? '' : ` ${color.dim(`(was ${renamedFrom})`)}`
      const fields = changedFieldsText({ before, after }, color).map((line) => `    ${line}`)
      return [`${color.yellow('~')} ${color.bold(address)}${was}`, ...fields].join('\n')
    }
  }
}
