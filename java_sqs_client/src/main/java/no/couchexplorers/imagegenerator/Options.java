package no.couchexplorers.imagegenerator;

import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * What the command line asks for.
 *
 * @param answer what --help or --version prints; where there is one, nothing else counts
 * @param queueUrl the queue's URL as given, not yet checked
 * @param prompt the one prompt to send; absent exactly when there is a file
 * @param file the file of prompts, "-" for standard input
 * @param json whether a program reads the answers
 * @param debug whether errors come with their stack trace
 */
record Options(
        Optional<String> answer,
        String queueUrl,
        Optional<String> prompt,
        Optional<String> file,
        boolean json,
        boolean debug) {

    static final String QUEUE_VARIABLE = "SQS_QUEUE_URL";

    /** Reads the command line; the queue's URL may stand in the environment instead. */
    static Options parse(String[] arguments, Map<String, String> environment) throws UsageException {
        // A prompt may begin with "@", which picocli would take for a file of arguments.
        CommandLine commandLine = new CommandLine(specification()).setExpandAtFiles(false);
        ParseResult given;
        try {
            given = commandLine.parseArgs(arguments);
        } catch (ParameterException error) {
            throw new UsageException(sentence(error), error);
        }
        if (given.isUsageHelpRequested()) {
            return answering(commandLine.getUsageMessage(CommandLine.Help.Ansi.OFF));
        }
        if (given.isVersionHelpRequested()) {
            return answering("imagegenerator " + version() + System.lineSeparator());
        }
        Optional<String> file = Optional.ofNullable(given.matchedOptionValue("--file", null));
        Optional<String> prompt = prompt(given.matchedPositionalValue(0, new String[0]), file);
        String queueUrl = queueUrl(given.matchedOptionValue("--queue-url", environment.get(QUEUE_VARIABLE)));
        return new Options(
                Optional.empty(),
                queueUrl,
                prompt,
                file,
                given.hasMatchedOption("--json"),
                given.hasMatchedOption("--debug"));
    }

    private static Options answering(String text) {
        return new Options(Optional.of(text), "", Optional.empty(), Optional.empty(), false, false);
    }

    private static Optional<String> prompt(String[] words, Optional<String> file) throws UsageException {
        if (words.length > 1) {
            throw new UsageException("The prompt must be one argument and these are " + words.length
                    + ": put it in quotes, \"" + Explanation.shortened(String.join(" ", words)) + "\".");
        }
        if (words.length == 1 && file.isPresent()) {
            throw new UsageException("A prompt and --file " + file.get() + " are both given: give one of them.");
        }
        if (words.length == 0 && file.isEmpty()) {
            throw new UsageException(
                    "No prompt is given: write it in quotes, imagegenerator \"me on top of a pyramid\", "
                            + "or name a file of prompts with --file.");
        }
        return Arrays.stream(words).findFirst();
    }

    private static String queueUrl(String given) throws UsageException {
        if (given == null || given.isBlank()) {
            throw new UsageException("No queue is given: set " + QUEUE_VARIABLE + " to the queue's URL, "
                    + QueueAddress.EXAMPLE + ", or give it with --queue-url.");
        }
        return given;
    }

    private static String sentence(ParameterException error) {
        String what = Explanation.oneLine(error.getMessage());
        if (error instanceof UnmatchedArgumentException) {
            return what + ": --help lists the options, and a prompt that starts with a dash stands after \"--\".";
        }
        return what + ": --help shows how.";
    }

    /** The version of the jar; classes that run outside a jar have none. */
    private static String version() {
        String version = Options.class.getPackage().getImplementationVersion();
        return version == null ? "(not from a jar)" : version;
    }

    /** Described by calls, not by annotations: reading those by reflection costs a tenth of the start. */
    private static CommandSpec specification() {
        CommandSpec command = CommandSpec.create().name("imagegenerator");
        command.usageMessage()
                .width(100)
                .description("Puts an image prompt, or a file of them, on the queue of the image worker.", "")
                .footer(
                        "",
                        "Credentials and AWS_ENDPOINT_URL are found where every AWS tool finds them.",
                        "The region is the one in the queue's URL, else AWS_REGION, else eu-west-1.",
                        "",
                        "Exit codes: 0 everything is sent, 1 AWS refused or could not be reached, 2 wrong usage.");
        command.addOption(OptionSpec.builder("--queue-url")
                .paramLabel("URL")
                .type(String.class)
                .description("the queue (or " + QUEUE_VARIABLE + " in the environment)")
                .build());
        command.addOption(OptionSpec.builder("--file")
                .paramLabel("FILE")
                .type(String.class)
                .description("send every line: a prompt, or a JSON object with prompt and, if wanted, id, model, seed,"
                        + " size, cfg_scale, negative_prompt; - reads standard input")
                .build());
        command.addOption(flag("--json", "print one JSON object for each prompt"));
        command.addOption(flag("--debug", "show the stack trace of an error"));
        command.addOption(OptionSpec.builder("--version")
                .versionHelp(true)
                .description("print the version")
                .build());
        command.addOption(OptionSpec.builder("--help")
                .usageHelp(true)
                .description("print this text")
                .build());
        command.addPositional(PositionalParamSpec.builder()
                .arity("0..*")
                .paramLabel("PROMPT")
                .type(String[].class)
                .description("what to paint, in quotes")
                .build());
        return command;
    }

    private static OptionSpec flag(String name, String description) {
        return OptionSpec.builder(name).description(description).build();
    }
}
