import type { AMQPMessage } from '@cloudamqp/amqp-client'
import { Patience } from '../agents/patience.ts'
import { ApiError } from '../http/api-error.ts'
import type { BrokerClient } from './client.ts'
import { reachBroker, whoWasLost, type BrokerParts, type Reached } from './connect.ts'
import { BrokerFailure } from './failure.ts'
import { sentProperties } from './message.ts'
import type { AskedPublish } from './request.ts'
import type { PublishAnswer } from './schema.ts'

/** Of a message that was not confirmed: whether the broker may have it all the same. */
type MayBeThere = 'no' | 'unknown'

export interface Published extends Pick<PublishAnswer, 'outcome' | 'reply'> {
  readonly reached: Reached
}

/**
 * Publishes a message over a connection of its own, and waits until the broker says what became of it.
 * @throws ApiError BAD_GATEWAY, TARGET_TIMEOUT with what went wrong, and whether the message may be there all the same; others
 *   where there was no way to the broker
 */
export async function publish(
  parts: BrokerParts,
  asked: AskedPublish,
  signal: AbortSignal,
): Promise<Published> {
  const patience = new Patience(asked.timeoutMs, signal)
  const reached = await reachBroker(parts, asked, patience, signal)
  const { result, endpoint } = reached
  if (result.kind === 'refused') throw brokerError(result.failure, 'no')
  const { client } = result
  const attempt = { hasBegun: false }
  try {
    return { ...(await send(client, asked, patience, attempt)), reached }
  } catch (error) {
    if (error instanceof RangeError) throw tooLong(error)
    const failure = failureOf(client, error)
    const mayBeThere = attempt.hasBegun && !isRefusal(failure) ? 'unknown' : 'no'
    throw brokerError(client.isCut ? await whoWasLost(endpoint, failure) : failure, mayBeThere)
  } finally {
    void client.leave()
  }
}

/** Whether a message that was not confirmed may be there all the same. */
export function mayBeThere(error: unknown): boolean {
  return error instanceof ApiError && error.details['published'] === 'unknown'
}

async function send(
  client: BrokerClient,
  asked: AskedPublish,
  patience: Patience,
  attempt: { hasBegun: boolean },
): Promise<Pick<Published, 'outcome' | 'reply'>> {
  const late = (): Error =>
    new BrokerFailure('CONNECT_TIMEOUT', 'the broker did not answer in time')
  client.keepNumbers()
  const channel = await patience.wait(client.channel(), late)
  await patience.wait(channel.confirmSelect(), late)
  let returned: AMQPMessage | null = null
  channel.onReturn = (message) => {
    returned = message
  }
  const { exchange, routingKey, body, properties, mandatory } = asked
  const sent = channel.basicPublish(
    exchange,
    routingKey,
    body,
    sentProperties(properties),
    mandatory,
  )
  attempt.hasBegun = true
  try {
    await patience.wait(sent, () => notConfirmed(client))
  } catch (error) {
    // The library's words for basic.nack: the broker could not keep the message.
    if (error instanceof Error && error.message === 'Message rejected') {
      return { outcome: 'rejected' }
    }
    throw error
  }
  return returned === null ? { outcome: 'confirmed' } : returnedAnswer(returned)
}

function returnedAnswer({
  replyCode,
  replyText,
}: AMQPMessage): Pick<Published, 'outcome' | 'reply'> {
  return { outcome: 'returned', reply: { code: replyCode ?? 0, text: replyText ?? '' } }
}

function notConfirmed(client: BrokerClient): BrokerFailure {
  if (client.blocked !== undefined) {
    const message = `the broker takes no messages for now: ${client.blocked}`
    return new BrokerFailure('CONNECTION_BLOCKED', message)
  }
  return new BrokerFailure('CONNECT_TIMEOUT', 'the broker did not confirm the message in time')
}

function failureOf(client: BrokerClient, error: unknown): BrokerFailure {
  if (error instanceof Error && error.name === 'AbortFailure') {
    return new BrokerFailure('CONNECTION_CLOSED', 'the request was given up')
  }
  return client.failureOf(error)
}

/** A channel is closed by what was published on it, which then went nowhere; a connection may close for reasons of its own. */
function isRefusal({ replyCode, severity }: BrokerFailure): boolean {
  return replyCode !== null && severity === 'error'
}

function brokerError(failure: BrokerFailure, published: MayBeThere): ApiError {
  const { code, message, severity, replyCode } = failure
  const isLate = code === 'CONNECT_TIMEOUT' || code === 'CONNECTION_BLOCKED'
  const details = {
    by: 'broker',
    amqp: { code, severity, ...(replyCode !== null && { replyCode }) },
    published,
  }
  return new ApiError(isLate ? 'TARGET_TIMEOUT' : 'BAD_GATEWAY', message, { details })
}

function tooLong(error: RangeError): ApiError {
  const fields = [{ path: 'body.properties', message: 'must fit into one frame, of 128 KiB' }]
  const message = `${fields[0].path} ${fields[0].message}`
  return new ApiError('VALIDATION_ERROR', message, { details: { fields }, cause: error })
}
