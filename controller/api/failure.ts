import { type ErrorCode, errorCodes } from '../domain/error-codes.ts'
import { FibricError } from '../domain/errors.ts'

/** An error as the API answers it. */
export interface ApiFailure {
  readonly status: number
  readonly body: { readonly error: ErrorObject }
  readonly headers: { readonly [name: string]: string }
  /** A defect, or a failure of the machinery: worth a line with the cause in the log. */
  readonly logged: boolean
}

export interface ErrorObject {
  readonly type: string
  readonly code: string
  readonly message: string
  readonly doc_url: string
  readonly request_id: string
  readonly details?: { readonly [key: string]: unknown }
}

/**
 * Any error in the API's form. What failed inside says so and no more: its message may name hosts, paths and addresses
 * that are none of the caller's business. `details.retry_after_s` of an error becomes the header.
 */
export function failureFor(thrown: unknown, requestId: string): ApiFailure {
  const error = known(thrown)
  const { status, code } = wordsOf(error.code)
  const inner = status >= 500
  const { retry_after_s: retryAfter, ...details } = error.details
  const said = { ...details, ...(error.hint !== null && { hint: error.hint }) }
  return {
    status,
    body: {
      error: {
        type: typeOf(status),
        code,
        message: inner ? innerMessages[code]! : error.message,
        doc_url: `${docs}${code.toUpperCase()}`,
        request_id: requestId,
        ...(!inner && Object.keys(said).length > 0 && { details: said }),
      },
    },
    headers: {
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      ...((status === 503 || status === 429) && { 'retry-after': String(retryAfter ?? 1) }),
    },
    logged: inner && error.code !== 'SERVICE_UNAVAILABLE',
  }
}

/** The codes that an answer of the API can carry, with their status: every registered one in the API's spelling. */
export function apiCodes(): { readonly code: string; readonly status: number; readonly type: string }[] {
  const codes = new Map<string, number>()
  for (const name of Object.keys(errorCodes) as ErrorCode[]) {
    if (neverAnswered.has(name)) continue
    const { code, status } = wordsOf(name)
    codes.set(code, status)
  }
  return [...codes]
    .map(([code, status]) => ({ code, status, type: typeOf(status) }))
    .sort((a, b) => a.status - b.status || (a.code < b.code ? -1 : 1))
}

const docs = 'https://fibric.io/docs/reference/errors#'

/** What only a command line can meet. */
const neverAnswered: ReadonlySet<ErrorCode> = new Set([
  'NO_REPOSITORY',
  'FILE_NOT_WRITTEN',
  'PORT_TAKEN',
  'GIT',
  'SERVER_UNREACHABLE',
])

function wordsOf(code: ErrorCode): { status: number; code: string } {
  const { status } = errorCodes[code]
  if (code === 'USAGE') return { status: 400, code: 'invalid_parameter' }
  if (status === 503 || status === 504) return { status: 503, code: 'service_unavailable' }
  if (status >= 500) return { status: 500, code: 'internal' }
  return { status, code: code.toLowerCase() }
}

const innerMessages: { readonly [code: string]: string } = {
  internal: 'this is a defect of fibric: the request id finds it in the log',
  service_unavailable: 'the service is not available right now',
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error'
  if (status === 403) return 'permission_error'
  if (status === 404) return 'not_found_error'
  if (status === 409) return 'conflict_error'
  if (status === 429) return 'rate_limit_error'
  if (status === 503) return 'unavailable_error'
  return status >= 500 ? 'internal_error' : 'invalid_request_error'
}

/** Errors of the HTTP server itself, in our words. */
function known(thrown: unknown): FibricError {
  if (thrown instanceof FibricError) return thrown
  const { code, statusCode } = (thrown ?? {}) as { code?: unknown; statusCode?: unknown }
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new FibricError('PAYLOAD_TOO_LARGE', 'the body is larger than this route takes')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_INVALID_TYPE':
      return new FibricError('UNSUPPORTED_MEDIA_TYPE', 'the content-type is none that this route takes')
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new FibricError('INVALID_PARAMETER', 'the path is not a path')
    case 'FST_ERR_HANDLER_TIMEOUT':
      return new FibricError('SERVICE_UNAVAILABLE', 'the request took too long')
    default:
      if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
        return new FibricError('INVALID_PARAMETER', 'the request is not one that HTTP knows')
      }
      return new FibricError('INTERNAL', 'a defect', { cause: thrown })
  }
}
