import type { ResourceShown } from '../../controller/operations/objects.ts'
import { renderTable } from './table.ts'

const shortDigestLength = 19

export function renderState(objects: readonly ResourceShown[]): string {
  if (objects.length === 0) return 'Nothing is applied.'
  const rows = objects.map((object) => [
    object.address,
    String(object.generation),
    object.digest.slice(0, shortDigestLength),
    object.commit?.slice(0, 10) ?? '-',
    object.applied_at,
    conditionsText(object),
  ])
  return renderTable(['ADDRESS', 'GENERATION', 'DIGEST', 'COMMIT', 'APPLIED', 'CONDITIONS'], rows)
}

/** The conditions that say something: everything but what is as it should be. */
export function conditionsText({ conditions }: ResourceShown): string {
  const said = conditions.flatMap(({ type, status, reason }) => {
    if (type === 'Drifted' || type === 'Suspended') return status === 'True' ? [`${type}(${reason})`] : []
    return status === 'True' ? [type] : [`${type}=${status}(${reason})`]
  })
  return said.join(' ')
}
