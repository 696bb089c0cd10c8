// A relying party that nobody here wrote: npm's @sd-jwt/jwt-status-list reads the
// place out of an access token, and finds it in the list. The signatures are
// checked by Node. It prints what it finds, for the test to judge.
import { getListFromStatusListJWT, getStatusListFromJWT } from '@sd-jwt/jwt-status-list'
import { createPublicKey, verify } from 'node:crypto'

const { SERVER, ACCESS } = process.env // lists are fetched from SERVER, whichever one issued the token

const { keys } = await (await fetch(SERVER + '/.well-known/jwks.json')).json()

function open(jwt) {
  const [header, payload, signature] = jwt.split('.')
  const read = (segment) => JSON.parse(Buffer.from(segment, 'base64url'))
  const { kid, typ } = read(header)
  const key = createPublicKey({ key: keys.find((k) => k.kid === kid), format: 'jwk' })
  if (!verify(null, Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))) throw new Error('signature')
  return { typ, claims: read(payload) }
}

open(ACCESS)
const { idx, uri } = getStatusListFromJWT(ACCESS)
const answer = await fetch(SERVER + new URL(uri).pathname, { headers: { Accept: 'application/statuslist+jwt' } })
const jwt = await answer.text()
if (!answer.ok) throw new Error(`${answer.status} ${jwt}`)
const { typ, claims } = open(jwt)
console.log(JSON.stringify({
  idx, uri, typ, claims,
  type: answer.headers.get('content-type'),
  status: getListFromStatusListJWT(jwt).getStatus(idx),
}))
