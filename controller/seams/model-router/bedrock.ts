import type { BedrockRuntimeClientConfig } from '@aws-sdk/client-bedrock-runtime'
import type { Usage } from '../../domain/model-price.ts'
import type { ModelAnswer, ModelPrompt, ModelProvider, ModelTarget, ModelWire, WireAnswer } from '../model-router.ts'
import { shortened, unansweredOf } from './statuses.ts'

/**
 * Amazon Bedrock by the AWS SDK, operation Converse. The SDK signs and speaks the wire format; its requests leave through
 * the wire we are given, so the egress broker's checks hold for it too. Who we are comes from the model's credential
 * (`access_key_id`, `secret_access_key`, `session_token`), else from the SDK's default chain, whose own look-ups (instance
 * metadata, STS, SSO) the SDK makes itself: they prove the deployment's identity, before there is a request.
 */
export const bedrock: ModelProvider = { ask, endpoint }

async function ask(target: ModelTarget, prompt: ModelPrompt, wire: ModelWire): Promise<ModelAnswer> {
  const { region } = target
  const url = endpoint(target)
  if (region === null || url === null) return { kind: 'failed', reason: 'the model names no `hosting.region`' }
  // The SDK takes a third of a second to load, and most processes never ask a model.
  const { BedrockRuntimeClient, ConverseCommand } = await import('@aws-sdk/client-bedrock-runtime')
  const sent: { answer: WireAnswer | null } = { answer: null }
  const client = new BedrockRuntimeClient({
    region,
    maxAttempts: 1,
    requestHandler: handlerOver(wire, sent),
    // Said outright: the SDK would also look for one in the environment and in profiles.
    endpoint: url,
    ...credentialsOf(target.credential),
  })
  const command = new ConverseCommand({
    modelId: target.modelId,
    system: [{ text: prompt.system }],
    messages: prompt.messages.map(({ role, text }) => ({ role, content: [{ text }] })),
    inferenceConfig: { maxTokens: prompt.maxTokens },
  })
  try {
    const { output, usage, stopReason } = await client.send(command)
    const text = (output?.message?.content ?? []).map((block) => block.text ?? '').join('')
    return { kind: 'answered', text, usage: usageOf(usage), stop: stopReason ?? null }
  } catch (error) {
    return unansweredFor(sent.answer, error as Error)
  } finally {
    client.destroy()
  }
}

function endpoint({ baseUrl, region }: ModelTarget): string | null {
  if (baseUrl !== null) return baseUrl
  if (region === null) return null
  return `https://bedrock-runtime.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`
}

type RequestHandler = NonNullable<BedrockRuntimeClientConfig['requestHandler']>

/** What was on the wire decides, not what the SDK calls it; without any, nothing left this process. */
function unansweredFor(answer: WireAnswer | null, error: Error): ModelAnswer {
  if (answer === null) return { kind: 'not-done', reason: `not sent: ${shortened(error.message)}`, retryAfterMs: null }
  return unansweredOf(answer, shortened(error.message)) ?? { kind: 'unknown', reason: 'the answer cannot be read' }
}

interface SdkRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query?: { readonly [name: string]: string | readonly string[] | null }
  readonly headers: { readonly [name: string]: string }
  readonly body?: unknown
}

/** The SDK's door to the network, leading to our own. */
function handlerOver(wire: ModelWire, sent: { answer: WireAnswer | null }): RequestHandler {
  const handler = {
    handle: async (request: SdkRequest) => {
      const answer = await wire.post({
        url: urlOf(request),
        headers: unhosted(request.headers),
        body: bytesOf(request.body),
      })
      sent.answer = answer
      if (answer.kind !== 'answered') throw new Error(answer.reason)
      const { status, headers, body } = answer
      return { response: { statusCode: status, headers, body: new Uint8Array(body) } }
    },
    updateHttpClientConfig: () => {},
    httpHandlerConfigs: () => ({}),
    destroy: () => {},
    metadata: { handlerProtocol: 'http/1.1' },
  }
  return handler as unknown as RequestHandler
}

function urlOf({ protocol, hostname, port, path, query }: SdkRequest): string {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`)
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const each of [value ?? ''].flat()) url.searchParams.append(name, String(each))
  }
  return url.href
}

/** The signed host is the URL's; whoever sends writes it, and the length, from what is sent. */
function unhosted(headers: SdkRequest['headers']): SdkRequest['headers'] {
  const kept = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  return Object.fromEntries(kept.filter(([name]) => name !== 'host' && name !== 'content-length'))
}

function bytesOf(body: unknown): Buffer {
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  throw new Error('a request of the SDK has a body that is neither text nor bytes')
}

function credentialsOf(fields: ModelTarget['credential']) {
  const accessKeyId = fields?.get('access_key_id')
  const secretAccessKey = fields?.get('secret_access_key')
  if (accessKeyId === undefined || secretAccessKey === undefined) return {}
  const sessionToken = fields?.get('session_token')
  return { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }
}

function usageOf(
  usage: { inputTokens?: number | undefined; outputTokens?: number | undefined } | undefined,
): Usage | null {
  const { inputTokens, outputTokens } = usage ?? {}
  return inputTokens === undefined || outputTokens === undefined ? null : { inputTokens, outputTokens }
}
