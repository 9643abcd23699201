import type { Field } from '@cloudamqp/amqp-client'
import { AMQPView } from '@cloudamqp/amqp-client/amqp-view'

const LEAST_INT32 = -(2 ** 31)
const MOST_INT32 = 2 ** 31 - 1

/** Writes numbers so that they are read as what they were: the library's own view keeps 32 bits of most. */
export class ExactView extends AMQPView {
  override setField(at: number, field: Field, littleEndian?: boolean): number {
    if (typeof field !== 'number') return super.setField(at, field, littleEndian)
    if (Number.isInteger(field) && field >= LEAST_INT32 && field <= MOST_INT32) {
      return super.setField(at, field, littleEndian)
    }
    if (Number.isSafeInteger(field)) return super.setField(at, BigInt(field), littleEndian)
    this.setUint8(at, 'd'.charCodeAt(0))
    this.setFloat64(at + 1, field, littleEndian)
    return 9
  }
}
