-- What wrk measured, as one line of JSON: microseconds.
done = function(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        'json {"p50_us":%g,"p99_us":%g,"p999_us":%g,"max_us":%g,"requests":%d,"req_per_s":%.1f,"errors":%d}\n',
        latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max,
        summary.requests, summary.requests * 1e6 / summary.duration,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
