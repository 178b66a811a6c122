import { parseAddress } from '../../controller/domain/address.ts'
import type { ResourceShown } from '../../controller/operations/objects.ts'
import { conditionsText } from './state.ts'
import { renderTable } from './table.ts'

export function renderNames(objects: readonly ResourceShown[]): string {
  if (objects.length === 0) return 'Nothing is applied.'
  const rows = objects.map((object) => {
    const { slug, name } = parseAddress(object.address)!
    return [slug, name, String(object.generation), conditionsText(object)]
  })
  return renderTable(['TENANT', 'NAME', 'GENERATION', 'CONDITIONS'], rows)
}
