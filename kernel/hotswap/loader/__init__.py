"""Code in, code out: imports a plugin's modules, holds its classes against the manifest, and forgets both again.

========================  =============================================================================================
module                    what it knows
========================  =============================================================================================
``loading``               one load from the manifest to the classes, alone or one of many, and how it is taken back
``entry_point``           which module an entry point means, and under which name it is loaded
``importing``             what to say when an import fails
``classes``               the classes that the manifest names
``finder``                which load's modules a name leads to: the finder on ``sys.meta_path``
``module_set``            the modules of one load; ``folder``: those of a plain folder, which have names of their own
``own_import``            what import statements in replaced code lead to
``source``                source in, code out, past stale bytecode
``traces``                what the interpreter remembers of dropped modules
========================  =============================================================================================
"""

from hotswap.loader.loading import Loaded, drop, load, load_beside, load_many, undo

__all__ = ["Loaded", "drop", "load", "load_beside", "load_many", "undo"]
