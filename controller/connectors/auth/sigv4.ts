import { createHmac, hash } from 'node:crypto'

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | null
}

export interface SignedRequest {
  readonly method: string
  readonly url: URL
  /** Lower-case names; `host` is added. */
  readonly headers: { readonly [name: string]: string }
  readonly body: Buffer | null
}

export interface SigningScope {
  readonly service: string
  readonly region: string
  readonly now: Date
}

/** The headers that sign a request. Source: AWS Signature Version 4, "Create a signed AWS API request". */
export function signV4(
  request: SignedRequest,
  credentials: AwsCredentials,
  { service, region, now }: SigningScope,
): { readonly [name: string]: string } {
  const moment = now.toISOString().replace(/[-:]|\.\d{3}/g, '')
  const day = moment.slice(0, 8)
  const bodyHash = hash('sha256', request.body ?? '', 'hex')
  const added: { [name: string]: string } = {
    'x-amz-date': moment,
    ...(service === 's3' ? { 'x-amz-content-sha256': bodyHash } : {}),
    ...(credentials.sessionToken === null ? {} : { 'x-amz-security-token': credentials.sessionToken }),
  }
  const signed = new Map(
    [...Object.entries({ ...request.headers, ...added }), ['host', request.url.host] as const]
      .map(([name, value]) => [name.toLowerCase(), value.trim().replace(/ +/g, ' ')] as const)
      .sort(([a], [b]) => compare(a, b)),
  )
  const names = [...signed.keys()].join(';')
  const canonical = [
    request.method,
    canonicalPath(request.url.pathname, service),
    canonicalQuery(request.url.searchParams),
    ...[...signed].map(([name, value]) => `${name}:${value}`),
    '',
    names,
    bodyHash,
  ].join('\n')
  const scope = `${day}/${region}/${service}/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', moment, scope, hash('sha256', canonical, 'hex')].join('\n')
  const key = [day, region, service, 'aws4_request'].reduce<Buffer | string>(mac, `AWS4${credentials.secretAccessKey}`)
  const signature = mac(key, toSign).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  return { ...added, authorization }
}

function mac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** Every service but S3 wants the path of the wire encoded once more. */
function canonicalPath(path: string, service: string): string {
  return service === 's3' ? path : path.split('/').map(encoded).join('/')
}

function canonicalQuery(parameters: URLSearchParams): string {
  return [...parameters]
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
