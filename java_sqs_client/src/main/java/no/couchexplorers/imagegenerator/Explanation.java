package no.couchexplorers.imagegenerator;

import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.util.Optional;
import javax.net.ssl.SSLException;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.exception.SdkException;

/** Says in one sentence what the SDK throws and SQS answers: what is wrong, with which value, and what to do. */
final class Explanation {
    static final String NO_ANSWER = "SQS did not say what became of it: send it again.";

    private static final int SERVER_ERROR = 500;
    private static final int PROXY_LOGIN = 407;
    private static final int SHORT = 80;

    private Explanation() {}

    /** Explains an error of a request that went through this proxy, if through any. */
    static String of(SdkException error, QueueAddress address, Optional<ProxyServer> proxy) {
        if (error instanceof AwsServiceException answer) {
            if (proxy.isPresent() && isOfProxy(answer)) {
                return ofProxy(proxy.get(), "status " + answer.statusCode(), address.server());
            }
            AwsErrorDetails details = answer.awsErrorDetails();
            String code = details == null ? "" : details.errorCode();
            String message = details == null ? "" : details.errorMessage();
            if (answer.statusCode() >= SERVER_ERROR) {
                return ofFault("status " + answer.statusCode(), message);
            }
            return ofCode(code, message, address);
        }
        return ofConnection(error, address.server(), proxy);
    }

    /** Explains what is no one's mistake: AWS could not do what it was asked. */
    static String ofFault(String code, String message) {
        return "AWS has a fault of its own" + told(code, message) + ": try again later.";
    }

    /** Explains an error that SQS names by a code, for a whole request or for one message of a batch. */
    static String ofCode(String code, String message, QueueAddress address) {
        String given = code == null ? "" : code;
        // The codes of SQS's older protocol have a prefix: AWS.SimpleQueueService.NonExistentQueue.
        String name = given.substring(given.lastIndexOf('.') + 1);
        String said = told(given, message);
        return switch (name) {
            case "QueueDoesNotExist", "NonExistentQueue" ->
                "The queue " + quoted(address.name()) + " does not exist in " + address.region() + " (" + address.url()
                        + "): check the queue URL.";
            case "AccessDenied", "AccessDeniedException" ->
                "AWS denies sending to the queue " + quoted(address.name()) + said
                        + ": let these credentials do sqs:SendMessage on it, in their policy or the queue's.";
            case "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId" ->
                "AWS does not know the access key: check AWS_ACCESS_KEY_ID, "
                        + "and set AWS_SESSION_TOKEN too if the key is temporary.";
            case "SignatureDoesNotMatch", "IncompleteSignature", "InvalidSignatureException" ->
                "AWS does not accept the signature: check AWS_SECRET_ACCESS_KEY and this machine's clock.";
            case "ExpiredToken", "ExpiredTokenException", "RequestExpired" ->
                "The credentials have expired: get new ones.";
            case "InvalidMessageContents" -> "The prompt holds a character that SQS does not take: remove it.";
            case "BatchRequestTooLong" -> "The prompt is longer than the queue takes: shorten it.";
            case "InvalidParameterValue" ->
                "SQS does not take the prompt" + said
                        + ": shorten it if it is too long, or raise the queue's MaximumMessageSize.";
            case "RequestThrottled", "Throttling", "ThrottlingException", "KmsThrottled" ->
                "AWS is asked too often" + said + ": try again later.";
            case "KmsAccessDenied", "KmsDisabled", "KmsInvalidState", "KmsNotFound", "KmsOptInRequired" ->
                "The key that encrypts the queue cannot be used" + said + ": let these credentials use it.";
            default -> "AWS refuses the request" + said + ".";
        };
    }

    /** Whether it is the proxy that refused: it wants a login, or the answer is none of AWS, which describes its errors. */
    private static boolean isOfProxy(AwsServiceException answer) {
        AwsErrorDetails details = answer.awsErrorDetails();
        boolean described = details != null
                && details.errorCode() != null
                && !details.errorCode().isBlank();
        return answer.statusCode() == PROXY_LOGIN || !described;
    }

    private static String ofProxy(ProxyServer proxy, String said, String server) {
        String advice = said.contains(Integer.toString(PROXY_LOGIN))
                ? ": write its user and password into " + proxy.variable() + ", http://user:password@host:port."
                : ": check the proxy, or except the host of " + server + " by NO_PROXY.";
        return capitalized(proxy.named()) + ", does not let the request to " + server + " through (" + said + ")"
                + advice;
    }

    private static String ofConnection(Throwable error, String server, Optional<ProxyServer> proxy) {
        String way = proxy.map(named -> " through " + named.named() + ",").orElse("");
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            if (cause instanceof UnknownHostException) {
                return proxy.map(named -> "The host of " + named.named() + ", is not found: check the variable.")
                        .orElse("The host of " + server + " is not found: check the network, and the address.");
            }
            if (cause instanceof SocketTimeoutException) {
                return "No answer comes from " + server + way + ": check the network, and the address"
                        + proxy.map(named -> " of the proxy.").orElse(".");
            }
            if (cause instanceof ConnectException || cause instanceof NoRouteToHostException) {
                String reason = " (" + oneLine(cause) + ")";
                return proxy.map(named -> "Nothing answers at " + named.named() + " for " + server + reason
                                + ": check the proxy, unset " + named.variable()
                                + ", or except the host by NO_PROXY.")
                        .orElse("Nothing answers at " + server + reason + ": check the network, and the address.");
            }
            if (cause instanceof SSLException) {
                return "No safe connection to " + server + way + " comes about (" + oneLine(cause)
                        + "): if a proxy of your network stands between, Java must trust its certificate.";
            }
            if (proxy.isPresent()
                    && cause instanceof IOException
                    && oneLine(cause).contains("proxy")) {
                return ofProxy(proxy.get(), oneLine(cause).replace("\"", ""), server);
            }
        }
        return "The request to " + server + way + " failed (" + oneLine(error) + "): try again, --debug shows more.";
    }

    private static String capitalized(String text) {
        return Character.toUpperCase(text.charAt(0)) + text.substring(1);
    }

    /** What AWS said, in brackets, so that nothing is lost which a sentence of ours does not say. */
    private static String told(String code, String message) {
        if (message != null && !message.isBlank()) {
            return " (" + oneLine(message) + ")";
        }
        return code == null || code.isBlank() ? "" : " (" + code + ")";
    }

    /** The first line of an error's message, without its full stop. */
    static String oneLine(Throwable error) {
        String message = error.getMessage();
        return message == null || message.isBlank() ? error.getClass().getSimpleName() : oneLine(message);
    }

    static String oneLine(String message) {
        String line = message.strip().lines().findFirst().orElse("");
        return line.endsWith(".") ? line.substring(0, line.length() - 1) : line;
    }

    /** Shows a value in quotes and never longer than a line. */
    static String quoted(String value) {
        return "\"" + shortened(value) + "\"";
    }

    static String shortened(String value) {
        String line = value.replaceAll("\\s+", " ");
        return line.codePointCount(0, line.length()) <= SHORT
                ? line
                : line.substring(0, line.offsetByCodePoints(0, SHORT - 3)) + "...";
    }
}
