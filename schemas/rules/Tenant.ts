import { absent, type DocumentRule, problem } from './rule-kit.ts'

/** Hosts of the platform's own, and names that would read as one of them. */
const reservedSlugs = new Set(['public'])

export const tenant: DocumentRule = (spec, context) => {
  const problems = []
  if (reservedSlugs.has(context.slug)) {
    problems.push(
      problem(
        'SLUG_RESERVED',
        '/metadata/name',
        `\`${context.slug}\` is reserved`,
        'choose another name for the folder',
      ),
    )
  }
  if (context.name !== '' && context.name !== context.slug) {
    const message = `the tenant is named \`${context.name}\`, and its folder \`${context.slug}\``
    problems.push(
      problem(
        'TENANT_NAME_MISMATCH',
        '/metadata/name',
        message,
        `write \`name: ${context.slug}\`, or rename the folder`,
      ),
    )
  }
  if (spec.environment !== 'sandbox') {
    problems.push(...absent(spec, 'sandboxOf', '/spec', 'needs `environment: sandbox`'))
  } else if (spec.sandboxOf === context.name && context.name !== '') {
    problems.push(problem('CONFLICTING_FIELDS', '/spec/sandboxOf', 'a tenant cannot be the sandbox of itself'))
  }
  return problems
}
