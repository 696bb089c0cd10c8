-- The action lua.counterfoil asks Counterfoil who makes a request, and leaves
-- the answer in variables of the transaction: see haproxy.cfg. If it fails,
-- txn.answer is not set, and the rules after it refuse.

local url = "http://127.0.0.1:8080/auth?redirect"

-- How long to wait for an answer, in milliseconds. HAProxy tries four times.
local timeout = 700

-- What Counterfoil judges the request by, as the client sent it.
local passed = {
	"cookie", "authorization", "origin", "upgrade", "accept", "user-agent",
	"sec-fetch-site", "sec-fetch-mode", "sec-websocket-key", "sec-websocket-version",
}

local function ask(txn)
	local received = txn.http:req_get_headers()
	local headers = {
		["x-forwarded-for"] = { txn.sf:src() },
		["x-forwarded-method"] = { txn.sf:method() },
		["x-forwarded-proto"] = { "https" },
		["x-forwarded-host"] = {},
		["x-forwarded-uri"] = { txn.sf:path() .. (txn.sf:query() ~= "" and "?" .. txn.sf:query() or "") },
	}
	for _, name in ipairs(passed) do
		if received[name] then
			headers[name] = {}
			for i = 0, #received[name] do -- counted from 0
				headers[name][i + 1] = received[name][i]
			end
		end
	end
	for i = 0, received["host"] and #received["host"] or -1 do
		headers["x-forwarded-host"][i + 1] = received["host"][i]
	end
	local answer = core.httpclient():get{ url = url, headers = headers, timeout = timeout }
	if not answer or not answer.status then
		return
	end
	for variable, header in pairs{
		auth_user = "x-auth-user", auth_name = "x-auth-name", auth_session = "x-auth-session",
		auth_token = "x-auth-token", login_url = "location",
	} do
		local values = answer.headers and answer.headers[header]
		if values and values[0] then
			txn:set_var("txn." .. variable, values[0])
		end
	end
	txn:set_var("txn.answer", tostring(answer.status))
end

core.register_action("counterfoil", { "http-req" }, ask, 0)
