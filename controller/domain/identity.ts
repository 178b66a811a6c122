/**
 * Who acts. `name` identifies the person or machine for separation of duties: two keys of one User are one person.
 *
 * person: `local:<login>`, or the address of a User. reconciler: the controller's own loop. The rest name a resource.
 */
export interface Principal {
  readonly kind: 'person' | 'operator' | 'schedule' | 'reconciler' | 'builtin'
  readonly name: string
}
