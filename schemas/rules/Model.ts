import { isJsonObject, type JsonObject } from '../../controller/domain/json.ts'
import type { SchemaProblem } from '../problem.ts'
import { absent, type DocumentRule, objectOf, platformOnly, problem, required } from './rule-kit.ts'

/** Where a Bedrock inference profile may run, by the prefix of its id; null where the provider chooses the country. */
const bedrockPrefixes: Readonly<Record<string, readonly string[] | null>> = {
  global: null,
  eu: null,
  apac: null,
  us: ['US'],
  'us-gov': ['US'],
  ca: ['CA'],
  jp: ['JP'],
  au: ['AU', 'NZ'],
}

export const model: DocumentRule = (spec) => [...reached(spec), ...placed(spec)]

/** What each provider needs to be asked, and what means nothing to it. */
function reached(spec: JsonObject): SchemaProblem[] {
  switch (spec.provider) {
    case 'scripted':
      return [
        ...required(spec, 'script', '/spec', 'a scripted model answers from it'),
        ...absent(spec, 'baseUrl', '/spec', 'means nothing to a scripted model'),
      ]
    case 'openai':
      return [
        ...required(spec, 'baseUrl', '/spec', 'an OpenAI-compatible endpoint has no usual place'),
        ...absent(spec, 'script', '/spec', 'is what a `scripted` model answers from'),
      ]
    case 'bedrock':
      return [
        ...(isJsonObject(spec.hosting)
          ? required(spec.hosting, 'region', '/spec/hosting', 'a Bedrock model is asked in a region')
          : []),
        ...absent(spec, 'script', '/spec', 'is what a `scripted` model answers from'),
      ]
    default:
      return []
  }
}

function placed(spec: JsonObject): SchemaProblem[] {
  const { country } = objectOf(spec.hosting)
  if (spec.provider !== 'bedrock' || typeof spec.modelId !== 'string' || country === undefined) return []
  const prefix = spec.modelId.split('.')[0] ?? ''
  const allowed = Object.hasOwn(bedrockPrefixes, prefix) ? bedrockPrefixes[prefix] : undefined
  if (allowed === undefined) return []
  if (allowed === null) {
    if (country === null) return []
    const message = `\`${spec.modelId}\` runs in a country that its provider chooses, and \`spec.hosting.country\` is \`${country}\``
    return [
      problem('CONFLICTING_FIELDS', '/spec/hosting/country', message, 'write `country: null`, or choose a regional id'),
    ]
  }
  if (typeof country === 'string' && allowed.includes(country)) return []
  const message = `\`${spec.modelId}\` runs in ${allowed.join(' or ')}, and \`spec.hosting.country\` is \`${country}\``
  return [problem('CONFLICTING_FIELDS', '/spec/hosting/country', message)]
}

export const modelPolicy: DocumentRule = (spec, context) => [
  ...(context.slug === '_platform' ? [] : platformOnly(spec, 'perTenant', '/spec')),
  // A price always has a currency, so that a budget without one would fit no question.
  ...(isJsonObject(spec.budget) ? required(spec.budget, 'currency', '/spec/budget', 'models are priced in one') : []),
]
