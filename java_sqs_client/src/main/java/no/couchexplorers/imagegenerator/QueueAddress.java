package no.couchexplorers.imagegenerator;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a queue is, read from its URL.
 *
 * @param url the queue's URL, which SQS takes as the queue's name
 * @param region the region that requests are signed for
 * @param endpoint the origin to ask, where the SDK would not find it by itself
 * @param fips whether the queue is asked through AWS's FIPS endpoints
 * @param dualStack whether the queue is asked over IPv6 too
 * @param server the address that requests go to, for a person
 */
record QueueAddress(String url, String region, Optional<URI> endpoint, boolean fips, boolean dualStack, String server) {

    static final String EXAMPLE = "https://sqs.eu-west-1.amazonaws.com/<account>/<queue>";

    private static final String DEFAULT_REGION = "eu-west-1";

    /** The SDK reads these by itself, the more special one first. */
    private static final List<String> ENDPOINT_VARIABLES = List.of("AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL");

    private static final String IGNORE_ENDPOINTS = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";

    // The forms of host that SQS has: general reference, "Amazon SQS endpoints and quotas"; its legacy hosts; and
    // interface endpoints (SQS developer guide, "Amazon VPC endpoints for Amazon SQS").
    private static final String AWS = "\\.amazonaws\\.(?:com|com\\.cn|eu)";
    private static final Pattern REGIONAL = Pattern.compile("sqs(-fips)?\\.([a-z0-9-]+)" + AWS);
    private static final Pattern DUAL_STACK =
            Pattern.compile("sqs(-fips)?\\.([a-z0-9-]+)\\.(?:api\\.aws|api\\.amazonwebservices\\.com\\.cn)");
    private static final Pattern LEGACY = Pattern.compile("(?:([a-z0-9-]+)\\.)?queue" + AWS);
    private static final Pattern INTERFACE = Pattern.compile("[a-z0-9.-]+\\.sqs\\.([a-z0-9-]+)\\.vpce" + AWS);

    private static final Pattern AWS_PATH = Pattern.compile("/[0-9]{12}/[A-Za-z0-9_-]{1,80}(?:\\.fifo)?");
    private static final Pattern REGION = Pattern.compile("[a-z0-9-]{1,63}");

    /** Reads the queue's URL; the environment tells what the URL does not. */
    static QueueAddress of(String given, Map<String, String> environment) throws UsageException {
        String url = given.strip();
        URI uri = parse(url);
        String host = uri.getHost().toLowerCase(Locale.ROOT);
        Optional<String> configured = configuredEndpoint(environment);
        String server = configured.orElse(origin(uri).toString());

        Matcher match = REGIONAL.matcher(host);
        boolean dualStack = !match.matches();
        if (dualStack) {
            match = DUAL_STACK.matcher(host);
        }
        if (match.matches()) {
            checkPath(uri);
            boolean fips = match.group(1) != null;
            return new QueueAddress(url, match.group(2), Optional.empty(), fips, dualStack, server);
        }
        match = LEGACY.matcher(host);
        if (match.matches()) {
            checkPath(uri);
            // The oldest host of all names no region: it is the first one.
            String region = match.group(1) == null ? "us-east-1" : match.group(1);
            return new QueueAddress(url, region, Optional.empty(), false, false, server);
        }
        Optional<URI> endpoint = configured.isPresent() ? Optional.empty() : Optional.of(origin(uri));
        match = INTERFACE.matcher(host);
        if (match.matches()) {
            checkPath(uri);
            return new QueueAddress(url, match.group(1), endpoint, false, false, server);
        }
        return new QueueAddress(url, region(environment), endpoint, false, false, server);
    }

    /** The queue's name, for a person. */
    String name() {
        return url.substring(url.lastIndexOf('/') + 1);
    }

    private static URI parse(String url) throws UsageException {
        if (url.startsWith("arn:")) {
            throw wrong(url, "is an ARN");
        }
        URI uri;
        try {
            uri = new URI(url);
        } catch (URISyntaxException error) {
            throw wrong(url, "is no URL (" + error.getReason() + ")");
        }
        if (!isWebAddress(uri)) {
            throw wrong(url, "is no URL with http:// or https:// and a host");
        }
        if (uri.getRawUserInfo() != null || uri.getRawQuery() != null || uri.getRawFragment() != null) {
            throw wrong(url, "holds more than a queue's URL has");
        }
        String path = uri.getPath();
        if (path.length() < 2 || path.endsWith("/")) {
            throw wrong(url, "names no queue");
        }
        if (path.endsWith(".fifo")) {
            throw new UsageException(
                    "The queue " + url + " is a FIFO queue, which wants a message group with each message: "
                            + "give a standard queue, as the worker's is.");
        }
        return uri;
    }

    private static void checkPath(URI uri) throws UsageException {
        if (!AWS_PATH.matcher(uri.getPath()).matches()) {
            throw wrong(uri.toString(), "does not end in /<account of 12 digits>/<queue>");
        }
    }

    private static UsageException wrong(String url, String what) {
        return new UsageException("The queue URL " + Explanation.quoted(url) + " " + what
                + ": give the URL that SQS shows for the queue, like " + EXAMPLE + ".");
    }

    private static boolean isWebAddress(URI uri) {
        boolean web = "http".equalsIgnoreCase(uri.getScheme()) || "https".equalsIgnoreCase(uri.getScheme());
        return web && uri.getHost() != null;
    }

    private static URI origin(URI uri) {
        return URI.create(uri.getScheme() + "://" + uri.getRawAuthority());
    }

    private static String region(Map<String, String> environment) throws UsageException {
        String region = environment.getOrDefault("AWS_REGION", "");
        if (region.isBlank()) {
            return DEFAULT_REGION;
        }
        if (!REGION.matcher(region).matches()) {
            throw new UsageException(
                    "AWS_REGION is " + Explanation.quoted(region) + ", which is no region: set one like eu-west-1.");
        }
        return region;
    }

    private static Optional<String> configuredEndpoint(Map<String, String> environment) throws UsageException {
        if ("true".equalsIgnoreCase(environment.get(IGNORE_ENDPOINTS))) {
            return Optional.empty();
        }
        for (String variable : ENDPOINT_VARIABLES) {
            String value = environment.get(variable);
            if (value != null) {
                checkEndpoint(variable, value);
                return Optional.of(value);
            }
        }
        return Optional.empty();
    }

    private static void checkEndpoint(String variable, String value) throws UsageException {
        try {
            if (isWebAddress(new URI(value))) {
                return;
            }
        } catch (URISyntaxException error) {
            // Told below, as every other text that is no address.
        }
        throw new UsageException(variable + " is " + Explanation.quoted(value)
                + ", which is no address: set one like http://localhost:4566, or unset it.");
    }
}
