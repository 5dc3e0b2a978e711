-- What wrk asks: one method on random keys of a thousand, the values 128 bytes
-- long. With several threads each goes to the next of the ports.
local keys = 1000
local method = os.getenv("BENCH_METHOD")
local query = os.getenv("BENCH_QUERY")
local ports = {}
for port in os.getenv("BENCH_PORTS"):gmatch("%d+") do
  ports[#ports + 1] = port
end

local threads = 0
function setup(thread)
  thread.addr = wrk.lookup("127.0.0.1", ports[threads % #ports + 1])[1]
  threads = threads + 1
  thread:set("number", threads)
end

local asked = {}
function init()
  math.randomseed(number)
  local body = nil
  if method == "PUT" then
    wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
    body = "value=" .. string.rep("x", 128)
  end
  for key = 1, keys do
    local path = string.format("/v2/keys/bench/%04d%s", key, query)
    asked[key] = wrk.format(method, path, nil, body)
  end
end

function request()
  return asked[math.random(keys)]
end

function done(summary, latency)
  local wrong = summary.errors
  local errors = wrong.connect + wrong.read + wrong.write + wrong.status + wrong.timeout
  local rate = summary.requests / (summary.duration / 1e6)
  print(string.format("sample %.1f %.0f %d", rate, latency:percentile(99), errors))
end
