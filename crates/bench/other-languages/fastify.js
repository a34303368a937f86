// Fastify with pino, set up as in their documentation: a JSON line with the body of each response, written in batches.
const fs = require('node:fs')
const { fastify, LogController } = require('fastify')
const pino = require('pino')

const [port, order] = process.argv.slice(2)
const body = fs.readFileSync(order, 'utf8')
const stderr = pino.destination({ dest: 2, sync: false, minLength: 4096 })
const logController = new LogController({ disableRequestLogging: true })
const app = fastify({ loggerInstance: pino(stderr), logController })

app.addHook('onSend', async (request, reply, payload) => {
  request.log.info({ method: request.method, url: request.url, status: reply.statusCode, body: payload }, 'response')
  return payload
})
app.get('/bench/order', async (request, reply) => {
  reply.type('application/json; charset=utf-8')
  return body
})
app.listen({ host: '127.0.0.1', port: Number(port) })
