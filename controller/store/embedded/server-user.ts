import { readFileSync, type Stats, statSync } from 'node:fs'

export interface ServerUser {
  readonly uid: number
  readonly gid: number
  readonly name: string
}

/**
 * Whom the server runs as. PostgreSQL refuses to be root, so root lends it to the first of: the owner of the data
 * that exists already, the owner of the folder around it (root helping in a user's checkout), `postgres`, `nobody`.
 * An ordinary user is the server's user; null says so.
 */
export function serverUser(processUid: number, existing: string, around: string): ServerUser | null {
  if (processUid !== 0) return null
  const accounts = readAccounts()
  for (const path of [existing, around]) {
    const owner = ownerOf(path)
    // initdb and the server look their user's name up, so an id without an account cannot be used.
    const account = owner === null || owner.uid === 0 ? undefined : accounts.find(({ uid }) => uid === owner.uid)
    if (account !== undefined) return account
  }
  const lent = ['postgres', 'nobody'].map((name) => accounts.find((account) => account.name === name))
  return (
    lent.find((account) => account !== undefined && account.uid !== 0) ?? { uid: 65534, gid: 65534, name: 'nobody' }
  )
}

function readAccounts(): ServerUser[] {
  let text: string
  try {
    text = readFileSync('/etc/passwd', 'utf8')
  } catch {
    return [] // a machine without the file: the fallback stands
  }
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':')
    return name && uid && gid ? [{ name, uid: Number(uid), gid: Number(gid) }] : []
  })
}

function ownerOf(path: string): Stats | null {
  return statSync(path, { throwIfNoEntry: false }) ?? null
}
